"""Which instances a job holds now, as far as an answer, or a listing and the recorded facts, can say."""

from __future__ import annotations

from typing import NamedTuple

from exporter.training.facts import Facts
from exporter.training.job import SECONDARY_STATUSES, WITHOUT_INSTANCES, TrainingJob


class Holding(NamedTuple):
    """What holds the instances (`training` or `warm_pool`), and how many of each type."""

    state: str
    instances: tuple[tuple[str, int], ...]


NOTHING = Holding("", ())


def holding(job: TrainingJob) -> Holding:
    """Return what a job that was described holds."""
    if job.terminal:
        state = "warm_pool" if _has_pool(job) else None
    else:
        state = "training" if job.started is not None and job.secondary_status not in WITHOUT_INSTANCES else None
    return Holding(state, tuple((i.type, i.number) for i in job.instances)) if state else NOTHING


def holding_as_listed(job: TrainingJob, facts: Facts | None) -> Holding | None:
    """Return what a job holds of which only a listing's summary is known, and the facts that an earlier run recorded.
    None when they do not tell: a summary has neither the instances nor when the training started."""
    if job.status is None:
        return None
    if job.instances:
        return holding(job)
    if job.terminal:
        state = "warm_pool" if _has_pool(job) else None
    elif job.secondary_status in WITHOUT_INSTANCES:
        state = None
    elif _has_started(job, facts):
        state = "training"
    else:
        return None
    if state is None:
        return NOTHING
    types = facts.value("types") if facts else None
    return Holding(state, tuple((type_, number) for type_, number in types)) if types else None


def _has_pool(job: TrainingJob) -> bool:
    return job.warm_pool is not None and job.warm_pool.status == "Available"


def _has_started(job: TrainingJob, facts: Facts | None) -> bool:
    """Whether a job has instances for sure. One that is stopping may never have had any."""
    if job.status == "InProgress" and job.secondary_status in SECONDARY_STATUSES:
        return True
    phases = facts.value("phases") if facts else None
    return any(status not in WITHOUT_INSTANCES for status, _ in phases or ())
