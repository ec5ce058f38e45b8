"""AWS through aiobotocore: the only package that knows the SDK."""
