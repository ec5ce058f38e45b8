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
  description = "The service account that uses the role with EKS Pod Identity, and its cluster."
}

variable "ec2" {
  type        = bool
  default     = false
  description = "Whether EC2 instances may use the role; also creates an instance profile."
}

variable "read_own_account" {
  type        = bool
  default     = true
  description = "Whether this role itself reads the jobs of its account."
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

variable "quotas_enabled" {
  type        = bool
  default     = true
  description = "For quotas.interval, which is not 0 by default."
}

variable "cloudwatch_enabled" {
  type        = bool
  default     = false
  description = "For cloudwatch.utilization and cloudwatch.algorithm_metrics."
}

variable "prices_enabled" {
  type        = bool
  default     = true
  description = "For prices.source: api, which is the default."
}

variable "reader_role_arns" {
  type        = list(string)
  default     = []
  description = "The roles in other accounts that the exporter assumes, as in targets[].role_arn."
}

variable "permissions_boundary" {
  type        = string
  default     = null
  description = "ARN of the permissions boundary of the role, if your organization requires one."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of all created resources."
}
