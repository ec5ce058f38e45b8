"""How long the phases of a job have taken so far, and when its limits end it."""

from __future__ import annotations

from exporter.training.job import WITHOUT_INSTANCES, TrainingJob, Transition


def phases(job: TrainingJob, now: float) -> list[tuple[str, float]]:
    """Return (secondary status, seconds) of each phase, in order."""
    return [(t.status, seconds) for t in job.transitions if (seconds := _lasted(t, now))]


def deadline(job: TrainingJob, now: float) -> float | None:
    """When the stopping condition ends a job that still runs: its time on instances, or the time since its creation."""
    if job.terminal:
        return None
    limits = ((_run_since(job, now), job.max_runtime_seconds), (job.created, job.max_wait_seconds))
    return min((start + limit for start, limit in limits if start is not None and limit is not None), default=None)


def _run_since(job: TrainingJob, now: float) -> float | None:
    """When the job would have started, had it run without a break until now: what came before an interruption counts
    too. None while it waits for instances."""
    if job.started is None or job.secondary_status in WITHOUT_INSTANCES:
        return None
    spent = [_lasted(t, now) or 0.0 for t in job.transitions if t.status not in WITHOUT_INSTANCES]
    return now - sum(spent) if spent else job.started


def _lasted(phase: Transition, now: float) -> float | None:
    """How long a phase took, or has taken so far."""
    if phase.end is None and phase.start is not None:
        return max(0.0, now - phase.start)
    return phase.seconds
