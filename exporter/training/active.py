"""Define the families of a target's current state: `sagemaker_training_jobs`, `_instances`, `_cost_per_hour` and
`_unbilled_jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.exposition.family import TARGET, Family, Group, LabelValues, Row, single
from exporter.training.cost import Rate
from exporter.training.job import SECONDARY_STATUSES, TERMINAL

_ENDS = {*TERMINAL, "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}


@dataclass(frozen=True, slots=True)
class ActiveCounts:
    """Hold the current counts of one target.

    `jobs` are counted by (status, secondary status) and `instances` by (instance type, usage). `unbilled` is the number
    of jobs that wait for their bill, None while it is unknown. While `jobs_known` is False, the jobs have not been
    counted yet and have no samples. `rates` are the prices of those instances that have one. Of the instances, those in
    `prepaid` belong to a training plan, which was paid for in advance.
    """

    jobs: Mapping[tuple[str, str], int]
    instances: Mapping[tuple[str, str], int]
    unbilled: int | None = None
    jobs_known: bool = True
    rates: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    prepaid: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def charged(self) -> dict[tuple[str, str], int]:
        """Return the instances that are not prepaid, without those types and usages of which all are."""
        left = {key: number - self.prepaid.get(key, 0) for key, number in self.instances.items()}
        return {key: number for key, number in left.items() if number or not self.prepaid.get(key)}


_ACTIVE: tuple[LabelValues, ...] = (
    *(("InProgress", secondary) for secondary in SECONDARY_STATUSES if secondary not in {*_ENDS, "Stopping"}),
    ("Stopping", "Stopping"),
)


UNKNOWN = ActiveCounts({}, {}, jobs_known=False)


def _jobs(counts: ActiveCounts) -> list[Row]:
    # The known statuses are shown with 0, so that an alert on a status has a series before the first such job.
    if not counts.jobs_known:
        return []
    return [((*labels,), float(n)) for labels, n in counts.jobs.items()] + [
        (labels, 0.0) for labels in _ACTIVE if labels not in counts.jobs
    ]


def _cost_per_hour(counts: ActiveCounts) -> list[Row]:
    return [
        ((*key, rate.currency), float(rate.per_hour * number))
        for key, number in counts.charged.items()
        if (rate := counts.rates.get(key))
    ]


_FAMILIES: tuple[Family[ActiveCounts], ...] = (
    Family(
        "sagemaker_training_jobs",
        "gauge",
        "Number of training jobs that have not ended.",
        TARGET,
        ("status", "secondary_status"),
        _jobs,
        known=_ACTIVE,
    ),
    Family(
        "sagemaker_training_instances",
        "gauge",
        "Number of instances held now, by usage: training, spot_training, or warm_pool for a pool that is waiting.",
        TARGET,
        ("instance_type", "usage"),
        lambda counts: [(labels, float(n)) for labels, n in counts.instances.items()],
    ),
    Family(
        "sagemaker_training_cost_per_hour",
        "gauge",
        "Cost per hour of the instances held now, except those of training plans, in the currency of the price list.",
        TARGET,
        ("instance_type", "usage", "currency"),
        _cost_per_hour,
        policy="prices",
    ),
    Family(
        "sagemaker_training_unbilled_jobs",
        "gauge",
        "Number of training jobs that trained and ended, and have no BillableTimeInSeconds yet.",
        TARGET,
        (),
        lambda counts: single(None if counts.unbilled is None else float(counts.unbilled)),
    ),
)

ACTIVE: Group[ActiveCounts] = Group("Active jobs of a target", _FAMILIES)
