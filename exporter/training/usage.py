"""What instances are held for, as AWS prices and limits it: the values of the label `usage`."""

from __future__ import annotations

TRAINING, SPOT_TRAINING, WARM_POOL = "training", "spot_training", "warm_pool"
USAGES = (TRAINING, SPOT_TRAINING, WARM_POOL)


def usage_of_training(spot: bool | None) -> str:
    """Return what a job holds its instances for while it runs. A description that does not say whether it uses spot
    is of a job that does not, which is what CreateTrainingJob makes of a request without that flag."""
    return SPOT_TRAINING if spot else TRAINING
