"""Determine what stopped a job: one of its limits, or a call of StopTrainingJob."""

from __future__ import annotations

from exporter.training.job import TrainingJob, seconds_of

STOP_CAUSES = ("user", "max_runtime", "max_wait", "max_pending", "other")
_LIMIT_OF_SECONDARY = {
    "MaxRuntimeExceeded": "max_runtime",
    "MaxWaitTimeExceeded": "max_wait",
    # Not documented by AWS yet; expected by analogy with the two above.
    "MaxPendingTimeExceeded": "max_pending",
}
# How much shorter or longer than its limit a wait may be to count as ended by it. Time in Pending within a training
# plan may not count against the limit, so a wait that lasted much longer proves nothing.
_EARLY, _LATE = 1.0, 60.0


def stop_cause(job: TrainingJob) -> str | None:
    """Return one of STOP_CAUSES for a job that ended as Stopped, None if the cause is unknown."""
    if job.outcome != "Stopped":
        return None
    seen = [job.secondary_status, *(t.status for t in reversed(job.transitions))]
    limits = (_LIMIT_OF_SECONDARY[status] for status in seen if status in _LIMIT_OF_SECONDARY)
    named = next(limits, None) or ("max_pending" if _waited_out(job) else None)
    return named or ("user" if "Stopped" in seen else None)


def _waited_out(job: TrainingJob) -> bool:
    """Return whether the job waited for capacity until MaxPendingTimeInSeconds was over, and never started. A wait of
    unknown length proves nothing."""
    if job.max_pending_seconds is None or job.started is not None:
        return False
    waited = seconds_of(t for t in job.transitions if t.status == "Pending")
    return waited is not None and waited > 0 and -_EARLY <= waited - job.max_pending_seconds <= _LATE
