"""Reads from CloudWatch how busy the instances of active jobs are, and what their algorithms report."""
