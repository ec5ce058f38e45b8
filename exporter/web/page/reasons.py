"""Names why a job waits, failed or was stopped: what the status page filters jobs by."""

from __future__ import annotations

from exporter.training.failures import FAILURE_CATEGORIES, FAILURE_DETAILS
from exporter.training.job import TrainingJob
from exporter.training.stops import STOP_CAUSES, stop_cause
from exporter.training.waiting import WAITING_REASONS

WAITS, FAILED, STOPPED = "waiting", "failed", "stopped"
# Every reason that a job can have, also those that no job has now; the first of each kind means any of that kind.
REASONS = (
    *(WAITS, *(f"{WAITS}:{reason}" for reason in WAITING_REASONS)),
    *(FAILED, *(f"{FAILED}:{each}" for each in dict.fromkeys((*FAILURE_CATEGORIES, *FAILURE_DETAILS)))),
    *(STOPPED, *(f"{STOPPED}:{cause}" for cause in STOP_CAUSES)),
)


def reasons(job: TrainingJob) -> tuple[str, ...]:
    """Return the reasons of a job, the most specific one first; a job that runs or completed has none."""
    if job.waiting:
        return f"{WAITS}:{job.waiting}", WAITS
    outcome = job.outcome
    if outcome == "Failed":
        # The detail is a default as long as the reason of the failure was not read.
        known = (job.failure_category, job.failure_detail) if job.failure_category else ()
        return *(f"{FAILED}:{each}" for each in known), FAILED
    if outcome == "Stopped":
        return (f"{STOPPED}:{cause}", STOPPED) if (cause := stop_cause(job)) else (STOPPED,)
    return ()


def waits_for(job: TrainingJob) -> str:
    """Return what a job waits for in words, "" if it does not wait or nothing is known of why."""
    return "" if job.waiting == "other" else job.waiting.replace("_", " ")


def said(reason: str) -> str:
    """Return a reason in words, such as `waiting: insufficient capacity`."""
    kind, _, what = reason.partition(":")
    return f"{kind}: {what.replace('_', ' ')}" if what else f"{kind}, any reason"
