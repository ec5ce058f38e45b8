variable "exporter_role_arn" {
  type        = string
  description = "The exporter's own role, which alone may assume the readers."
}

variable "organizational_unit_ids" {
  type        = list(string)
  description = "The organizational units (ou-...) or roots (r-...) whose accounts get a reader."
}

variable "region" {
  type        = string
  description = "The region of the stacks; IAM roles are global, so one is enough."
}

variable "external_id" {
  type        = string
  default     = ""
  description = "The external ID that the exporter must send, targets[].external_id. Empty: none is required."
}

variable "name" {
  type        = string
  default     = "sagemaker-exporter-reader"
  description = "Name of the StackSet."
}

variable "role_name" {
  type        = string
  default     = "sagemaker-exporter"
  description = "Name of the role in each account."
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

variable "delegated_administrator" {
  type        = bool
  default     = false
  description = "Whether this is a delegated administrator's account and not the management account."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of the StackSet and its stacks."
}
