output "role_arn" {
  value       = aws_iam_role.exporter.arn
  description = "For the annotation eks.amazonaws.com/role-arn of the service account (IRSA), and for the readers' trust."
}

output "instance_profile_name" {
  value       = one(aws_iam_instance_profile.exporter[*].name)
  description = "For the EC2 instance; null without ec2."
}
