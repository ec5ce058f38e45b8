"""Access to AWS through aiobotocore. No other package imports the SDK."""
