# The reader's role in every account of some organizational units, also in those that join later: a service-managed
# StackSet of deploy/cloudformation/reader-role.yaml. Apply it in the management or a delegated administrator's account.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

resource "aws_cloudformation_stack_set" "readers" {
  name             = var.name
  description      = "Lets sagemaker-exporter read training jobs"
  permission_model = "SERVICE_MANAGED"
  call_as          = var.delegated_administrator ? "DELEGATED_ADMIN" : "SELF"
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = file("${path.module}/../../cloudformation/reader-role.yaml")
  tags             = var.tags

  parameters = {
    ExporterRoleArn = var.exporter_role_arn
    ExternalId      = var.external_id
    RoleName        = var.role_name
    Search          = tostring(var.search_enabled)
    Tags            = tostring(var.tags_enabled)
    Quotas          = tostring(var.quotas_enabled)
    CloudWatch      = tostring(var.cloudwatch_enabled)
  }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    failure_tolerance_percentage = 100
    max_concurrent_percentage    = 100
  }

  lifecycle {
    # AWS sets it, and Terraform would remove it again.
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_instances" "readers" {
  stack_set_name = aws_cloudformation_stack_set.readers.name
  call_as        = aws_cloudformation_stack_set.readers.call_as

  # IAM roles are global, so one region is enough.
  regions = [var.region]

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }
}
