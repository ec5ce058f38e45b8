"""Computes how long the phases of a job have taken so far."""

from __future__ import annotations

from exporter.training.job import TrainingJob, Transition


def phases(job: TrainingJob, now: float) -> list[tuple[str, float]]:
    """Return (SecondaryStatus, seconds) of each phase with a known duration, in order."""
    return [(t.status, seconds) for t in job.transitions if (seconds := _lasted(t, now))]


def _lasted(phase: Transition, now: float) -> float | None:
    """Return how long a phase took, or has taken up to `now` if it has no end."""
    if phase.end is None and phase.start is not None:
        return max(0.0, now - phase.start)
    return phase.seconds
