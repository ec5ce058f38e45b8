# The role that the exporter itself runs as: it reads the jobs of its own account and assumes the readers of others.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.31"
    }
  }
}

locals {
  # The policies are read from deploy/iam, so that there is only one copy.
  policies    = "${path.module}/../../iam"
  features    = concat(
    ["describe"],
    var.tags_enabled ? ["tags"] : [],
    var.search_enabled ? ["search"] : [],
    var.quotas_enabled ? ["quotas"] : [],
    var.cloudwatch_enabled ? ["cloudwatch"] : [],
  )
  assume_role = jsondecode(file("${local.policies}/assume-role.json"))

  # Without the scheme, as IAM's condition keys require.
  issuer = var.irsa == null ? "" : split("oidc-provider/", var.irsa.oidc_provider_arn)[1]
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = var.irsa[*]

    content {
      sid     = "Irsa"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.value.oidc_provider_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:sub"
        values   = ["system:serviceaccount:${statement.value.namespace}:${statement.value.service_account}"]
      }

      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.pod_identity[*]

    content {
      sid     = "PodIdentity"
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-namespace"
        values   = [statement.value.namespace]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-service-account"
        values   = [statement.value.service_account]
      }
    }
  }

  dynamic "statement" {
    for_each = var.ec2 ? [true] : []

    content {
      sid     = "Ec2"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["ec2.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "read" {
  source_policy_documents = [for feature in local.features : file("${local.policies}/${feature}.json")]
}

resource "aws_iam_role" "exporter" {
  name                 = var.name
  path                 = var.path
  description          = "sagemaker-exporter: reads training jobs for Prometheus"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = var.irsa != null || var.pod_identity != null || var.ec2
      error_message = "Nobody could assume this role: set irsa, pod_identity or ec2."
    }
  }
}

resource "aws_iam_role_policy" "read" {
  count = var.read_own_account ? 1 : 0

  name   = "read-training-jobs"
  role   = aws_iam_role.exporter.id
  policy = data.aws_iam_policy_document.read.json
}

# With this role itself, whoever's jobs are read.
resource "aws_iam_role_policy" "prices" {
  count = var.prices_enabled ? 1 : 0

  name   = "read-prices"
  role   = aws_iam_role.exporter.id
  policy = file("${local.policies}/prices.json")
}

resource "aws_iam_role_policy" "assume_role" {
  count = length(var.reader_role_arns) > 0 ? 1 : 0

  name = "assume-readers"
  role = aws_iam_role.exporter.id
  policy = jsonencode(merge(local.assume_role, {
    Statement = [for statement in local.assume_role.Statement : merge(statement, { Resource = var.reader_role_arns })]
  }))
}

resource "aws_eks_pod_identity_association" "exporter" {
  count = var.pod_identity == null ? 0 : 1

  cluster_name    = var.pod_identity.cluster_name
  namespace       = var.pod_identity.namespace
  service_account = var.pod_identity.service_account
  role_arn        = aws_iam_role.exporter.arn
  tags            = var.tags
}

resource "aws_iam_instance_profile" "exporter" {
  count = var.ec2 ? 1 : 0

  name = var.name
  path = var.path
  role = aws_iam_role.exporter.name
  tags = var.tags
}
