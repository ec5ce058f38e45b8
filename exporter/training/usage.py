"""Define the values of the label `usage`: what instances are held for, as AWS prices and limits it."""

from __future__ import annotations

TRAINING, SPOT_TRAINING, WARM_POOL = "training", "spot_training", "warm_pool"
USAGES = (TRAINING, SPOT_TRAINING, WARM_POOL)


def usage_of_training(spot: bool | None) -> str:
    """Return the usage of a running job's instances.

    An unknown flag means on-demand, which is the default of EnableManagedSpotTraining in CreateTrainingJob.
    """
    return SPOT_TRAINING if spot else TRAINING
