variable "exporter_role_arn" {
  type        = string
  description = "The exporter's own role, which alone may assume this one."
}

variable "external_id" {
  type        = string
  default     = null
  description = "The external ID that the exporter must send, targets[].external_id. Null: none is required."
}

variable "name" {
  type        = string
  default     = "sagemaker-exporter"
  description = "Name of the role."
}

variable "path" {
  type        = string
  default     = "/"
  description = "Path of the role."
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

variable "permissions_boundary" {
  type        = string
  default     = null
  description = "ARN of the permissions boundary of the role, if your organization requires one."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of the role."
}
