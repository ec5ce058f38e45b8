"""The families of a target as it is now: `sagemaker_training_jobs`, `_instances` and `_unbilled_jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.exposition.family import TARGET, Family, Group, LabelValues, Row, single
from exporter.training.cost import Rate
from exporter.training.job import SECONDARY_STATUSES, TERMINAL

_ENDS = {*TERMINAL, "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}


@dataclass(frozen=True, slots=True)
class ActiveCounts:
    """How many there are now: jobs by (status, secondary status), instances by (type, usage), and jobs whose bill is
    awaited, which is None as long as nobody can know. Without `jobs_known` nobody knows yet how many jobs there are.
    `rates` are the prices of the instances, of those that have one."""

    jobs: Mapping[tuple[str, str], int]
    instances: Mapping[tuple[str, str], int]
    unbilled: int | None = None
    jobs_known: bool = True
    rates: Mapping[tuple[str, str], Rate] = field(default_factory=dict)


_ACTIVE: tuple[LabelValues, ...] = (
    *(("InProgress", secondary) for secondary in SECONDARY_STATUSES if secondary not in {*_ENDS, "Stopping"}),
    ("Stopping", "Stopping"),
)


UNKNOWN = ActiveCounts({}, {}, jobs_known=False)


def _jobs(counts: ActiveCounts) -> list[Row]:
    if not counts.jobs_known:
        return []
    return [((*labels,), float(n)) for labels, n in counts.jobs.items()] + [
        (labels, 0.0) for labels in _ACTIVE if labels not in counts.jobs
    ]


def _cost_per_hour(counts: ActiveCounts) -> list[Row]:
    return [
        ((*key, rate.currency), float(rate.per_hour * counts.instances[key]))
        for key, rate in counts.rates.items()
        if key in counts.instances
    ]


_FAMILIES: tuple[Family[ActiveCounts], ...] = (
    Family(
        "sagemaker_training_jobs",
        "gauge",
        "Training jobs that have not ended, now.",
        TARGET,
        ("status", "secondary_status"),
        _jobs,
        known=_ACTIVE,
    ),
    Family(
        "sagemaker_training_instances",
        "gauge",
        "Instances held now, by what for: training, spot_training, or warm_pool for a pool that waits.",
        TARGET,
        ("instance_type", "usage"),
        lambda counts: [(labels, float(n)) for labels, n in counts.instances.items()],
    ),
    Family(
        "sagemaker_training_cost_per_hour",
        "gauge",
        "What the instances that are held now cost per hour, in the currency of the price list.",
        TARGET,
        ("instance_type", "usage", "currency"),
        _cost_per_hour,
    ),
    Family(
        "sagemaker_training_unbilled_jobs",
        "gauge",
        "Training jobs that trained and ended and whose BillableTimeInSeconds is not known yet.",
        TARGET,
        (),
        lambda counts: single(None if counts.unbilled is None else float(counts.unbilled)),
    ),
)

ACTIVE: Group[ActiveCounts] = Group("Active jobs of a target", _FAMILIES)
