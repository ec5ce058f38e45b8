"""What docs/totals.md assumes about ended jobs, each as a question to one job: it holds, it does not, or the job says
nothing about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from exporter.polling.settling import PATIENCE
from exporter.training.job import OUTCOMES, TrainingJob

# Seconds. Times of one job come from different hosts of AWS, and some are cut to whole seconds.
_SLACK = 2.0
# A job that changed so recently may have changed between two reads, or be old in the index of Search.
_RECENT = 900.0
# A warm pool is released some time after its period is over.
_RELEASE = 600.0
_OVER = ("Reused", "Terminated")
_DELAYS = ((_SLACK, "at the end"), (60.0, "within a minute"), (3600.0, "within an hour"))


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended job as DescribeTrainingJob returns it, as ListTrainingJobs and Search do (None: not there), and when it
    was read, by AWS's clock (Unix seconds)."""

    job: TrainingJob
    listed: TrainingJob | None
    indexed: TrainingJob | None
    now: float


@dataclass(frozen=True, slots=True)
class Assumption:
    """A sentence, and the function that asks a job about it; None: the job says nothing."""

    text: str
    holds: Callable[[Ended], bool | None]


class Tally(NamedTuple):
    """For how many jobs an assumption holds, and the kinds of those for which it does not."""

    text: str
    holds: int
    broken_by: tuple[str, ...]


def _has_end(at: Ended) -> bool | None:
    return at.job.ended_at is not None and at.job.outcome in OUTCOMES


def _in_order(at: Ended) -> bool | None:
    times = [t for t in (at.job.created, at.job.started, at.job.ended) if t is not None]
    return all(earlier <= later + _SLACK for earlier, later in pairwise(times))


def _modified_after_end(at: Ended) -> bool | None:
    if at.job.modified is None or at.job.ended is None:
        return None
    return at.job.modified + _SLACK >= at.job.ended


def _billed(at: Ended) -> bool | None:
    if at.job.unbilled:
        return False if (at.job.over_since or at.now) + PATIENCE <= at.now else None
    return True if at.job.billable_seconds is not None else None


def _billed_at_most_trained(at: Ended) -> bool | None:
    if at.job.billable_seconds is None or at.job.training_seconds is None:
        return None
    return at.job.billable_seconds <= at.job.training_seconds


def _pool_was_wanted(at: Ended) -> bool | None:
    return bool(at.job.keep_alive_seconds) if at.job.warm_pool else None


def _pool_is_shown(at: Ended) -> bool | None:
    if not at.job.keep_alive_seconds or at.job.started is None:
        return None
    # The pool may appear some time after the end.
    return True if at.job.warm_pool else None if (at.job.over_since or at.now) + _RELEASE > at.now else False


def _pool_ends(at: Ended) -> bool | None:
    pool, period, ended = at.job.warm_pool, at.job.keep_alive_seconds, at.job.ended_at
    if pool is None or not period or ended is None:
        return None
    over = pool.status in _OVER
    return over if ended + period + _RELEASE <= at.now else None


def _pool_is_billed(at: Ended) -> bool | None:
    pool = at.job.warm_pool
    if pool is None or pool.status not in _OVER:
        return None
    limit = (at.job.keep_alive_seconds or 0.0) + _RELEASE
    return pool.retained_seconds is not None and pool.retained_seconds <= limit


def _same_creation(at: Ended) -> bool | None:
    others = [other for other in (at.listed, at.indexed) if other is not None]
    return all(at.job.identity.is_same(other.identity) for other in others) if others else None


def _same_modification(at: Ended) -> bool | None:
    return _near(at.listed.modified, at.job.modified) if at.listed and _rests(at) else None


def _same_in_search(at: Ended) -> bool | None:
    if at.indexed is None or not _rests(at):
        return None
    one, other = at.indexed, at.job
    same = (one.status, one.billable_seconds, one.warm_pool) == (other.status, other.billable_seconds, other.warm_pool)
    return same and _near(one.modified, other.modified)


def _rests(at: Ended) -> bool:
    """Return whether a job has not changed for a while."""
    return at.job.modified is None or at.job.modified + _RECENT <= at.now


def _near(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= _SLACK)


ASSUMPTIONS = (
    Assumption("An ended job shows when and how it ended", _has_end),
    Assumption("CreationTime, TrainingStartTime and TrainingEndTime are in this order", _in_order),
    Assumption("LastModifiedTime is not before TrainingEndTime", _modified_after_end),
    Assumption("A job that trained has BillableTimeInSeconds within 24 hours of its end", _billed),
    Assumption("BillableTimeInSeconds is at most TrainingTimeInSeconds", _billed_at_most_trained),
    Assumption("Only a job with KeepAlivePeriodInSeconds has WarmPoolStatus", _pool_was_wanted),
    Assumption("A job with KeepAlivePeriodInSeconds that started has WarmPoolStatus", _pool_is_shown),
    Assumption("A warm pool is Reused or Terminated once KeepAlivePeriodInSeconds is over", _pool_ends),
    Assumption("A warm pool that is over has its billed seconds, at most KeepAlivePeriodInSeconds", _pool_is_billed),
    Assumption("CreationTime is the same in every operation, to less than a second", _same_creation),
    Assumption("LastModifiedTime is the same in ListTrainingJobs", _same_modification),
    Assumption("Search has the same status, bill, warm pool and LastModifiedTime", _same_in_search),
)


def tallies(jobs: Iterable[Ended]) -> tuple[Tally, ...]:
    """Return for each assumption how many jobs confirm and contradict it."""
    asked = tuple(jobs)
    return tuple(_tally(assumption, asked) for assumption in ASSUMPTIONS)


def _tally(assumption: Assumption, jobs: tuple[Ended, ...]) -> Tally:
    answers = [assumption.holds(job) for job in jobs]
    broken = (job for job, answer in zip(jobs, answers, strict=True) if answer is False)
    return Tally(assumption.text, answers.count(True), tuple(_kind(each.job) for each in broken))


def _kind(job: TrainingJob) -> str:
    """Return what may matter of a job, in words of our own."""
    traits = {"spot": job.spot, "serverless": not job.instances, "warm pool": job.keep_alive_seconds}
    return " ".join([job.outcome or "ended", *(name for name, has in traits.items() if has)])


def last_change(job: TrainingJob) -> str:
    """Return how long after the end of a job LastModifiedTime is, in words; "unknown" without either."""
    if job.modified is None or job.ended_at is None:
        return "unknown"
    delay = job.modified - job.ended_at
    return next((words for limit, words in _DELAYS if delay <= limit), "later")
