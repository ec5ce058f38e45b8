"""Chooses the jobs of a listing that are described: those that say most about what the exporter assumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporter.training.job import TrainingJob

# How many ended jobs are described.
ENDED = 6
_TRAINS = "Training"


def chosen(jobs: Sequence[TrainingJob]) -> list[TrainingJob]:
    """Return the newest job that has not ended, if possible one that trains, and a few of those that have ended.
    `jobs` are summaries, newest first."""
    running = [job for job in jobs if not job.terminal]
    active = [job for job in running if job.secondary_status == _TRAINS][:1] or running[:1]
    ended = [job for job in jobs if job.terminal]
    return active + list(dict.fromkeys(_telling(ended)))[:ENDED]


def _telling(ended: Sequence[TrainingJob]) -> Iterator[TrainingJob]:
    """Yield the newest job with each status and each status of a warm pool, then the others; some twice."""
    for status in dict.fromkeys(_pool(job) for job in ended if job.warm_pool):
        yield next(job for job in ended if _pool(job) == status)
    for outcome in dict.fromkeys(job.status for job in ended):
        yield next(job for job in ended if job.status == outcome)
    yield from ended


def _pool(job: TrainingJob) -> str | None:
    return job.warm_pool.status if job.warm_pool else None
