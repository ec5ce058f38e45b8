"""Tells what stopped a job: a limit, or somebody who called StopTrainingJob."""

from __future__ import annotations

from exporter.training.job import TrainingJob

STOP_CAUSES = ("user", "max_runtime", "max_wait", "max_pending", "other")
_LIMIT_OF_SECONDARY = {
    "MaxRuntimeExceeded": "max_runtime",
    "MaxWaitTimeExceeded": "max_wait",
    # In no list of AWS's statuses yet.
    "MaxPendingTimeExceeded": "max_pending",
}
# AWS ends the wait this close to its limit. Pending time in a training plan may not count against the limit, so one
# that lasted much longer says nothing.
_EARLY, _LATE = 1.0, 60.0


def stop_cause(job: TrainingJob) -> str | None:
    """Return one of STOP_CAUSES for a job that ended as Stopped, or None where nothing tells the cause."""
    if job.outcome != "Stopped":
        return None
    seen = [job.secondary_status, *(t.status for t in reversed(job.transitions))]
    limits = (_LIMIT_OF_SECONDARY[status] for status in seen if status in _LIMIT_OF_SECONDARY)
    named = next(limits, None) or ("max_pending" if _waited_out(job) else None)
    return named or ("user" if "Stopped" in seen else None)


def _waited_out(job: TrainingJob) -> bool:
    """Whether it waited for capacity as long as MaxPendingTimeInSeconds allows, and never started."""
    if job.max_pending_seconds is None or job.started is not None:
        return False
    pending = sum(t.seconds or 0.0 for t in job.transitions if t.status == "Pending")
    return pending > 0 and -_EARLY <= pending - job.max_pending_seconds <= _LATE
