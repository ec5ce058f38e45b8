"""How many instances an account may use for training: AWS's applied quotas and the families that show them."""
