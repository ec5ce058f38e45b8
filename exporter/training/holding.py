"""Which instances a job holds now, as far as an answer, or a listing and the recorded facts, can say."""

from __future__ import annotations

from typing import NamedTuple

from exporter.training.facts import Facts
from exporter.training.job import SECONDARY_STATUSES, WITHOUT_INSTANCES, TrainingJob
from exporter.training.usage import WARM_POOL, usage_of_training


class Holding(NamedTuple):
    """What the instances are held for (`usage`), and how many of each type."""

    usage: str
    instances: tuple[tuple[str, int], ...]


NOTHING = Holding("", ())


def holding(job: TrainingJob) -> Holding:
    """Return what a job that was described holds."""
    if job.terminal:
        usage = WARM_POOL if _has_pool(job) else None
    else:
        runs = job.started is not None and job.secondary_status not in WITHOUT_INSTANCES
        usage = usage_of_training(job.spot) if runs else None
    return Holding(usage, tuple((i.type, i.number) for i in job.instances)) if usage else NOTHING


def holding_as_listed(job: TrainingJob, facts: Facts | None) -> Holding | None:
    """Return what a job holds of which only a listing's summary is known, and the facts that an earlier run recorded.
    None when they do not tell: a summary has neither the instances nor when the training started, nor does it say
    whether they are spot instances."""
    if job.status is None:
        return None
    if job.instances:
        return holding(job)
    types = facts.value("types") if facts else None
    if job.terminal:
        usage = WARM_POOL if _has_pool(job) else None
    elif job.secondary_status in WITHOUT_INSTANCES:
        usage = None
    elif facts and _has_started(job, facts):
        # The description that named the types is the one that said whether they are spot instances.
        usage = usage_of_training(facts.value("spot"))
    else:
        return None
    if usage is None:
        return NOTHING
    return Holding(usage, tuple((type_, number) for type_, number in types)) if types else None


def _has_pool(job: TrainingJob) -> bool:
    return job.warm_pool is not None and job.warm_pool.status == "Available"


def _has_started(job: TrainingJob, facts: Facts | None) -> bool:
    """Whether a job has instances for sure. One that is stopping may never have had any."""
    if job.status == "InProgress" and job.secondary_status in SECONDARY_STATUSES:
        return True
    phases = facts.value("phases") if facts else None
    return any(status not in WITHOUT_INSTANCES for status, _ in phases or ())
