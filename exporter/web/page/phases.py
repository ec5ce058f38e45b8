"""Computes how long the phases of a job have taken so far, on instances and waiting."""

from __future__ import annotations

from exporter.training.job import WITHOUT_INSTANCES, TrainingJob, Transition
from exporter.training.waiting import WAITING_STATUSES


def phases(job: TrainingJob, now: float) -> list[tuple[str, float]]:
    """Return (SecondaryStatus, seconds) of each phase with a known duration, in order."""
    return [(t.status, seconds) for t in job.transitions if (seconds := lasted(t, now))]


def lasted(phase: Transition, now: float) -> float | None:
    """Return how long a phase took, or has taken up to `now` if it has no end."""
    if phase.end is None and phase.start is not None:
        return max(0.0, now - phase.start)
    return phase.seconds


def waiting_since(job: TrainingJob) -> float | None:
    """Return since when a job waits without a pause (Unix seconds); None if it does not wait, or that is unknown."""
    if not job.waiting:
        return None
    if job.started is None and job.created is not None:
        return job.created
    since = None
    for transition in reversed(job.transitions):
        if transition.status not in WAITING_STATUSES and transition.status != job.secondary_status:
            break
        since = since if transition.start is None else transition.start
    return since


def seconds_on_instances(job: TrainingJob, now: float) -> float | None:
    """Return how long a running job has held instances until `now`; None if that is unknown."""
    if job.started is None:
        return None
    if not job.transitions:
        return max(0.0, now - job.started)
    spans = [lasted(t, now) for t in job.transitions if t.status not in WITHOUT_INSTANCES]
    known = [span for span in spans if span is not None]
    return sum(known) if len(known) == len(spans) else None
