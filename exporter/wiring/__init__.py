"""Wires the parts of an application to the configuration: targets, polling, prices, quotas and CloudWatch."""
