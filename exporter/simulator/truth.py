"""Compute what an exact ledger must count for a set of lives.

It is computed from the lives and not from responses, so that tests compare two independent results.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from exporter.simulator.life import Life, Span

_Key = TypeVar("_Key")
# Seconds after the end of a job for which an exact ledger waits for the bill, before it counts without it.
PATIENCE = 86400.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be counted for one life.

    A value that the API does not report is None, never 0. `status` is None while the job runs, and `category` is None
    unless it failed. `cause` is what stopped it. `duration` is the time from creation to end, `queued` from creation to
    start. `phases` are the finished transitions in order, including the final one. While a job `awaits_bill`, its
    training seconds are in no total.
    """

    name: str
    created: float
    status: str | None
    category: str | None
    spot: bool
    training_seconds: int | None
    billable_seconds: int | None
    instances: Mapping[str, int]
    instance_seconds: Mapping[str, int]
    billable_instance_seconds: Mapping[str, int]
    interruptions: int
    retained_seconds: int | None
    retained_instance_seconds: Mapping[str, int]
    reused: bool
    duration: float | None
    queued: float | None
    phases: tuple[tuple[str, float], ...]
    cause: str | None = None
    awaits_bill: bool = False


# What stopped a job, by its last secondary status.
_CAUSES = {
    "Stopped": "user",
    "MaxRuntimeExceeded": "max_runtime",
    "MaxWaitTimeExceeded": "max_wait",
    "MaxPendingTimeExceeded": "max_pending",
}


def expected(life: Life, now: float = math.inf) -> Expected:
    """Return what the API has shown of `life` by `now`, by default at the end. After a deletion nothing changes."""
    whole = life.timeline
    given_up = min(whole[-1].end + PATIENCE, life.gone) <= now
    now = min(now, life.deleted)
    spans = [span for span in whole if span.start <= now] or list(whole[:1])
    ending = life.ending if life.ending and spans[-1].end <= now and len(spans) == len(life.phases) else None
    end = spans[-1].end if ending else math.inf
    training = _training_seconds(spans) if ending else None
    billable = _billable_seconds(life, training, end, now) if training else None
    retained, reused = _pool(life, end, now) if ending else (None, False)
    instances = _instances(life)
    return Expected(
        name=life.name,
        created=round(life.created, 3),
        status=ending.status if ending else None,
        category=ending.category or None if ending else None,
        spot=life.spot,
        training_seconds=training,
        billable_seconds=billable,
        instances=instances,
        instance_seconds=_times(instances, training),
        billable_instance_seconds=_times(instances, billable),
        interruptions=sum(span.phase.status == "Interrupted" for span in spans),
        retained_seconds=retained,
        retained_instance_seconds=_times(instances, retained),
        reused=reused,
        duration=round(end - life.created, 3) if ending else None,
        queued=_queued(spans),
        phases=_phases(spans, now) + (((ending.secondary_status, 0.0),) if ending else ()),
        cause=_CAUSES.get(ending.secondary_status, "other") if ending and ending.status == "Stopped" else None,
        awaits_bill=bool(life.groups) and training is not None and billable is None and not given_up,
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over many lives, by the labels of the exporter's totals; `spot` is "true" or "false".

    `durations` by status, `phases` by secondary status, and `queues` by (instance types, spot) are the observations of
    the histograms in seconds.
    """

    created: int
    finished: Counter[str]
    failed: Counter[str]
    stopped: Counter[str]
    seconds: Counter[str]
    billable_seconds: Counter[str]
    instance_seconds: Counter[tuple[str, str]]
    billable_instance_seconds: Counter[tuple[str, str]]
    interruptions: int
    retained_seconds: int
    retained_instance_seconds: Counter[str]
    reuses: int
    durations: Mapping[str, Sequence[float]]
    phases: Mapping[str, Sequence[float]]
    queues: Mapping[tuple[str, str], Sequence[float]]


def total(lives: Iterable[Life], now: float = math.inf) -> Totals:
    """Return the sums over the `lives` that the API shows by `now`."""
    jobs = [expected(life, now) for life in lives if life.appears <= now]
    seconds, billable = Counter[str](), Counter[str]()
    by_type, billable_by_type = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    retained_by_type = Counter[str]()
    for job in jobs:
        spot = str(job.spot).lower()
        billable[spot] += job.billable_seconds or 0
        if not job.awaits_bill:
            seconds[spot] += job.training_seconds or 0
            by_type.update({(kind, spot): value for kind, value in job.instance_seconds.items()})
        billable_by_type.update({(kind, spot): value for kind, value in job.billable_instance_seconds.items()})
        retained_by_type.update(job.retained_instance_seconds)
    return Totals(
        created=len(jobs),
        finished=Counter(job.status for job in jobs if job.status),
        failed=Counter(job.category for job in jobs if job.category),
        stopped=Counter(job.cause for job in jobs if job.cause),
        seconds=seconds,
        billable_seconds=billable,
        instance_seconds=by_type,
        billable_instance_seconds=billable_by_type,
        interruptions=sum(job.interruptions for job in jobs),
        retained_seconds=sum(job.retained_seconds or 0 for job in jobs),
        retained_instance_seconds=retained_by_type,
        reuses=sum(job.reused for job in jobs),
        durations=_by_key((job.status, job.duration) for job in jobs),
        phases=_by_key(phase for job in jobs for phase in job.phases),
        queues=_by_key(
            ((",".join(sorted(job.instances)), str(job.spot).lower()), job.queued) for job in jobs if job.instances
        ),
    )


def _by_key(observed: Iterable[tuple[_Key | None, float | None]]) -> dict[_Key, list[float]]:
    found: dict[_Key, list[float]] = {}
    for key, seconds in observed:
        if key is not None and seconds is not None:
            found.setdefault(key, []).append(seconds)
    return found


def _queued(spans: Sequence[Span]) -> float | None:
    start = next((span.start for span in spans if span.phase.on_instances), None)
    return None if start is None else round(start - spans[0].start, 3)


def _training_seconds(spans: Iterable[Span]) -> int | None:
    milliseconds = sum(round((span.end - span.start) * 1000) for span in spans if span.phase.on_instances)
    return milliseconds // 1000 or None


def _billable_seconds(life: Life, training: int, end: float, now: float) -> int | None:
    due = [step for step in life.billing if round(end + step.after, 3) <= now]
    if life.billable_ratio is None or not due:
        return None
    final = max(1, math.floor(Fraction(training * life.billable_ratio)))
    return max(1, math.floor(Fraction(final * due[-1].share)))


def _pool(life: Life, end: float, now: float) -> tuple[int | None, bool]:
    pool = life.pool
    began = any(phase.on_instances for phase in life.phases)
    if pool is None or not began or not pool.shows or now < round(end + pool.appears_after, 3):
        return None, False
    released = round(end + pool.released_after, 3)
    return math.floor(round(min(now, released) - end, 3)), bool(pool.reused_by) and now >= released


def _instances(life: Life) -> dict[str, int]:
    instances = Counter[str]()
    for group in life.groups:
        instances[group.instance_type] += group.count
    return dict(instances)


def _times(instances: Mapping[str, int], seconds: int | None) -> dict[str, int]:
    return {} if seconds is None else {kind: count * seconds for kind, count in instances.items()}


def _phases(spans: Iterable[Span], now: float) -> tuple[tuple[str, float], ...]:
    closed = (span for span in spans if span.end <= now and span.end < math.inf)
    return tuple((span.phase.status, round(span.end - span.start, 3)) for span in closed)
