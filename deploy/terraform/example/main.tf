# An exporter in one account's EKS cluster that also reads a second account. Copy it, and replace the modules' sources
# by git::https://github.com/sagemaker-exporter/sagemaker-exporter//deploy/terraform/exporter-role?ref=TAG and the like.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.31"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias   = "research"
  region  = "eu-west-1"
  profile = "research"
}

variable "external_id" {
  type        = string
  description = "A text of 2 to 1224 characters that is hard to guess; set the same in the exporter's configuration."
}

module "exporter" {
  source = "../exporter-role"

  pod_identity     = { cluster_name = "monitoring" }
  tags_enabled     = true
  reader_role_arns = ["arn:aws:iam::210987654321:role/sagemaker-exporter"]
}

module "research" {
  source    = "../reader-role"
  providers = { aws = aws.research }

  exporter_role_arn = module.exporter.role_arn
  external_id       = var.external_id
  tags_enabled      = true
}

output "exporter_role_arn" {
  value       = module.exporter.role_arn
  description = "The role that the exporter runs as."
}
