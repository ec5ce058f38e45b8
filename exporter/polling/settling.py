"""Decide when an ended job is settled: nothing about it is to be expected any more.

`now` is AWS's time in Unix seconds; `changed_at` is when the job was last seen to change, 0 if that was never.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.training.job import TrainingJob

# Seconds after its end for which a job's bill, or a rule that still runs, is awaited.
PATIENCE = 86400.0


@dataclass(frozen=True, slots=True)
class Settling:
    """Settle jobs that did not change for `usual` seconds."""

    usual: float

    def is_settled(self, job: TrainingJob, changed_at: float, now: float, settle: float) -> bool:
        """Return whether a job is quiet and lacks nothing, or its patience is over."""
        given_up = gives_up_at(job, changed_at, now) <= now - (settle - self.usual)
        return self.is_quiet(job, changed_at, now, settle) and (given_up or not _lacks_something(job))

    def is_quiet(self, job: TrainingJob, changed_at: float, now: float, settle: float) -> bool:
        """Return whether a job has ended and stopped changing, and only its bill or a rule may be outstanding.

        `settle` is how long it must not have changed, which is more than usual for a reading that may be old.
        """
        if not job.terminal or job.cost_tags is None:
            return False
        return unchanged_since(job, changed_at, now) + settle <= now and self._pool_is_over(job, changed_at, now)

    def _pool_is_over(self, job: TrainingJob, changed_at: float, now: float) -> bool:
        """Return whether a job has no warm pool (any more)."""
        status = job.warm_pool.status if job.warm_pool else None
        if status in ("Reused", "Terminated"):
            return True
        if status == "Available":
            return False
        # Requested but not shown (yet, or any more): it lives for the keep-alive period at most.
        return _past(job.over_since or 0.0, changed_at, now) + (job.keep_alive_seconds or 0.0) + self.usual <= now


def gives_up_at(job: TrainingJob, changed_at: float, now: float) -> float:
    """Return when the bill or a rule of an ended job is awaited no longer."""
    return _past(job.over_since or 0.0, changed_at, now) + PATIENCE


def unchanged_since(job: TrainingJob, changed_at: float, now: float) -> float:
    """Return since when a job has not changed."""
    return max(_past(job.last_change, changed_at, now), changed_at)


def _lacks_something(job: TrainingJob) -> bool:
    """Return whether the bill or a rule of an ended job is outstanding."""
    return job.unbilled or not job.evaluated


def _past(time: float, changed_at: float, now: float) -> float:
    """Return a time that a job reports, unless it is in the future, because it or the clock is wrong. Then return when
    the job was last seen to change, or `now`, so that nothing is settled or given up too soon."""
    return time if time <= now else changed_at or now
