"""Tells when the stopping condition ends a job, as far as its description fixes that moment.

No clock is asked: a deadline stays where it is until the job changes. A limit has a deadline while it runs:

- MaxRuntimeInSeconds counts the time on instances, over all attempts. It stands still while a job waits for instances,
  also after a spot interruption, and then nobody knows when it will end the job.
- MaxWaitTimeInSeconds counts from the creation, waiting and running together.
- MaxPendingTimeInSeconds counts the time in Pending, and only of jobs with accelerators. Within a training plan AWS
  leaves out times that no description shows.

A job that is stopping or has ended is ended by no limit any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from exporter.training.job import WITHOUT_INSTANCES, TrainingJob

LIMITS = ("max_runtime", "max_wait", "max_pending")
# The families of instances without accelerators.
_CPU = re.compile(r"ml\.[cmrt]\d")


def deadlines(job: TrainingJob) -> dict[str, float]:
    """Return by limit the Unix time at which it ends the job; without those that do not run or cannot be known."""
    if job.terminal or job.status == "Stopping" or job.secondary_status == "Stopping":
        return {}
    found = {"max_runtime": _max_runtime(job), "max_wait": _max_wait(job), "max_pending": _max_pending(job)}
    return {limit: round(time, 3) for limit, time in found.items() if time is not None}


def deadline(job: TrainingJob) -> float | None:
    """Return when the first limit ends the job."""
    return min(deadlines(job).values(), default=None)


def _max_runtime(job: TrainingJob) -> float | None:
    if job.max_runtime_seconds is None or job.started is None or job.secondary_status in WITHOUT_INSTANCES:
        return None
    began = _began(job, _on_instances) if job.transitions else job.started
    return None if began is None else began + job.max_runtime_seconds


def _max_wait(job: TrainingJob) -> float | None:
    if job.max_wait_seconds is None or job.created is None:
        return None
    return job.created + job.max_wait_seconds


def _max_pending(job: TrainingJob) -> float | None:
    if job.max_pending_seconds is None or job.secondary_status != "Pending" or job.training_plan:
        return None
    if job.instances and all(_CPU.match(item.type) for item in job.instances):
        return None
    began = _began(job, "Pending".__eq__) if job.transitions else job.created
    return None if began is None else began + job.max_pending_seconds


def _on_instances(status: str) -> bool:
    return status not in WITHOUT_INSTANCES


def _began(job: TrainingJob, counts: Callable[[str], bool]) -> float | None:
    """Return when the time that a limit counts would have begun, had it run without a break until now. None where
    the current status is not one that counts, or nothing says since when it is the current one."""
    *earlier, current = job.transitions
    since = current.start if counts(current.status) else None
    if current.end is not None:
        # The description has no transition yet for the status that follows.
        earlier, since = [*earlier, current], current.end
    if since is None:
        return None
    return since - sum(t.seconds or 0.0 for t in earlier if counts(t.status))
