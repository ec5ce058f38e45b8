# A role in one account that reads its training jobs and that only the exporter's own role may assume.

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
  policies = "${path.module}/../../iam"
  features = concat(
    ["describe"],
    var.tags_enabled ? ["tags"] : [],
    var.search_enabled ? ["search"] : [],
    var.quotas_enabled ? ["quotas"] : [],
    var.cloudwatch_enabled ? ["cloudwatch"] : [],
  )
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "TheExporterAlone"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [var.exporter_role_arn]
    }

    dynamic "condition" {
      for_each = var.external_id[*]

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }

  # EKS Pod Identity sets transitive session tags, which are passed on to the assumed role.
  statement {
    sid     = "WithItsSessionTags"
    actions = ["sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [var.exporter_role_arn]
    }
  }
}

data "aws_iam_policy_document" "read" {
  source_policy_documents = [for feature in local.features : file("${local.policies}/${feature}.json")]
}

resource "aws_iam_role" "reader" {
  name                 = var.name
  path                 = var.path
  description          = "Read by sagemaker-exporter: training jobs, for Prometheus"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "read" {
  name   = "read-training-jobs"
  role   = aws_iam_role.reader.id
  policy = data.aws_iam_policy_document.read.json
}
