"""Define the families of quotas, `sagemaker_training_quota_*`."""

from __future__ import annotations

from exporter.exposition.family import TARGET, Family, Group, single
from exporter.quotas.applied import Quotas

_FAMILIES: tuple[Family[Quotas], ...] = (
    Family(
        "sagemaker_training_quota_instances",
        "gauge",
        "Applied quota of instances by usage, of the types that a job of the target has had.",
        TARGET,
        ("instance_type", "usage"),
        lambda quotas: quotas.by_type.items(),
        policy="quotas",
    ),
    Family(
        "sagemaker_training_quota_all_instances",
        "gauge",
        "Applied quota of instances across all training jobs.",
        TARGET,
        (),
        lambda quotas: single(quotas.all_instances),
        policy="quotas",
    ),
)

QUOTAS: Group[Quotas] = Group("Quotas", _FAMILIES)
