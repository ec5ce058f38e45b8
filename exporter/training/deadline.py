"""Compute when the StoppingCondition will stop a job, as far as its description determines that time.

No clock is involved: a deadline changes only when the job does. A limit has a deadline only while it is running:

- MaxRuntimeInSeconds counts time on instances, over all attempts. It pauses while a job waits for instances, also after
  a spot interruption, and has no deadline during the pause.
- MaxWaitTimeInSeconds counts from creation, both waiting and running.
- MaxPendingTimeInSeconds counts time in Pending, for jobs with accelerators only. For a job in a training plan AWS
  excludes periods that no description shows, so such a job has no deadline.

A job that is stopping or has ended has no deadlines.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from exporter.training.job import WITHOUT_INSTANCES, TrainingJob, seconds_of

LIMITS = ("max_runtime", "max_wait", "max_pending")
# Instance families without accelerators.
_CPU = re.compile(r"ml\.[cmrt]\d")


def deadlines(job: TrainingJob) -> dict[str, float]:
    """Return the deadline of each limit in Unix seconds; limits that are not running or not known are left out."""
    if job.terminal or job.status == "Stopping" or job.secondary_status == "Stopping":
        return {}
    found = {"max_runtime": _max_runtime(job), "max_wait": _max_wait(job), "max_pending": _max_pending(job)}
    return {limit: round(time, 3) for limit, time in found.items() if time is not None}


def deadline(job: TrainingJob) -> float | None:
    """Return the earliest deadline in Unix seconds, None if there is none."""
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
    """Return when a limit would have started if it had been running without a pause until now.

    That is the start of the current status minus the time already spent in statuses that count. None if the current
    status does not count, or if its start or one of these times is unknown.
    """
    *earlier, current = job.transitions
    since = current.start if counts(current.status) else None
    if current.end is not None:
        # The description has no transition yet for the status that follows.
        earlier, since = [*earlier, current], current.end
    spent = seconds_of(t for t in earlier if counts(t.status))
    return None if since is None or spent is None else since - spent
