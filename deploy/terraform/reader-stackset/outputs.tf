output "stack_set_name" {
  value       = aws_cloudformation_stack_set.readers.name
  description = "Name of the StackSet."
}
