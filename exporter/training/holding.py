"""Determine which instances a job holds now, from its description, or from a listing and its recorded facts."""

from __future__ import annotations

from typing import NamedTuple

from exporter.training.facts import Facts
from exporter.training.job import SECONDARY_STATUSES, WITHOUT_INSTANCES, TrainingJob
from exporter.training.usage import WARM_POOL, usage_of_training


class Holding(NamedTuple):
    """The instances that a job holds, as (instance type, number), and what for (`usage`)."""

    usage: str
    instances: tuple[tuple[str, int], ...]


NOTHING = Holding("", ())


def holding(job: TrainingJob) -> Holding:
    """Return the instances that a described job holds."""
    if job.terminal:
        usage = WARM_POOL if _has_pool(job) else None
    else:
        runs = job.started is not None and job.secondary_status not in WITHOUT_INSTANCES
        usage = usage_of_training(job.spot) if runs else None
    return Holding(usage, tuple((i.type, i.number) for i in job.instances)) if usage else NOTHING


def holding_as_listed(job: TrainingJob, facts: Facts | None) -> Holding | None:
    """Return the instances held by a job that is known only from a listing and from facts recorded by an earlier run.

    A summary of ListTrainingJobs has no instances, no start time and no spot flag, so the recorded facts must supply
    them. None if they do not.
    """
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
        # A description that has the instance types also says whether they are spot: "spot" is known if "types" is.
        usage = usage_of_training(facts.value("spot"))
    else:
        return None
    if usage is None:
        return NOTHING
    return Holding(usage, tuple((type_, number) for type_, number in types)) if types else None


def _has_pool(job: TrainingJob) -> bool:
    return job.warm_pool is not None and job.warm_pool.status == "Available"


def _has_started(job: TrainingJob, facts: Facts) -> bool:
    """Return whether a job certainly has instances. A job that is stopping may never have had any."""
    if job.status == "InProgress" and job.secondary_status in SECONDARY_STATUSES:
        return True
    return any(status not in WITHOUT_INSTANCES for status, _ in facts.value("phases") or ())
