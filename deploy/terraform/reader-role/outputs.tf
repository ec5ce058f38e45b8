output "role_arn" {
  value       = aws_iam_role.reader.arn
  description = "For targets[].role_arn, and for reader_role_arns of the exporter's own role."
}
