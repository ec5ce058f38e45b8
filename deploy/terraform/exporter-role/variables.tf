variable "name" {
  type        = string
  default     = "sagemaker-exporter-hub"
  description = "Name of the role, and of the instance profile."
}

variable "path" {
  type        = string
  default     = "/"
  description = "Path of the role."
}

variable "irsa" {
  type = object({
    oidc_provider_arn = string
    namespace         = optional(string, "monitoring")
    service_account   = optional(string, "sagemaker-exporter")
  })
  default     = null
  description = "The service account that assumes the role by web identity (IRSA), and the cluster's OIDC provider."
}

variable "pod_identity" {
  type = object({
    cluster_name    = string
    namespace       = optional(string, "monitoring")
    service_account = optional(string, "sagemaker-exporter")
  })
  default     = null
  description = "The service account that EKS Pod Identity gives the role to, and its cluster."
}

variable "ec2" {
  type        = bool
  default     = false
  description = "Whether an EC2 instance may have the role; makes an instance profile too."
}

variable "read_own_account" {
  type        = bool
  default     = true
  description = "Whether the jobs of this account are read with this role itself."
}

variable "search_enabled" {
  type        = bool
  default     = false
  description = "For polling.strategy: search."
}

variable "tags_enabled" {
  type        = bool
  default     = false
  description = "For jobs.tags and totals.by_tags."
}

variable "prices_enabled" {
  type        = bool
  default     = true
  description = "For prices.source: api, which is the default."
}

variable "reader_role_arns" {
  type        = list(string)
  default     = []
  description = "The roles in other accounts that the exporter assumes: what targets[].role_arn names."
}

variable "permissions_boundary" {
  type        = string
  default     = null
  description = "ARN of the policy that bounds the role, if your organisation wants one."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of everything that is made."
}
