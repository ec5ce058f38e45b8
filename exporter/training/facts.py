"""Keep what the totals know about one job, and merge new readings into it.

The dated facts form a semilattice: the same set of readings gives the same facts, whatever their order and however
often each is repeated. For each fact, the reading with the latest LastModifiedTime wins; among readings with the same
LastModifiedTime, the one that says more wins. A reading that lacks a fact leaves it unchanged. The start time is the
exception: the earliest one wins, because a restart after a spot interruption does not prolong the time in the queue.
What is not dated, such as the tags of costs and the prices, is that of the first reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import orjson

from exporter.exposition.family import Pairs
from exporter.training import cost
from exporter.training.cost import Rate, Rates, exact, priced
from exporter.training.job import TrainingJob
from exporter.training.stops import stop_cause
from exporter.training.usage import WARM_POOL, usage_of_training

# (LastModifiedTime, value). Values have JSON types only, so that they survive the round trip through the store.
Dated = tuple[float, Any]
# The totals no longer wait for BillableTimeInSeconds: the job is not billed by time, or the bill did not arrive within
# the time allowed. The fact is never withdrawn, so training seconds that were counted without a bill are not counted
# a second time when the bill arrives after all.
NO_BILL = "no_bill"
# The job has been settled at least once. Amounts that shrink while a bill grows, such as spot savings, are counted only
# from then on, because a counter cannot go down.
FINAL = "final"
# What billed time has: a rate, or the reason why there is none.
_R = TypeVar("_R", Rate, str)


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold the facts about one job.

    `created` is CreationTime in Unix seconds. `known` holds the dated facts by name. `cost_tags` come from the first
    reading, so that a job never moves from one series to another. `rates` are the prices in force when the job was
    first priced; a later price list does not change them.
    """

    created: float
    cost_tags: Pairs
    known: Mapping[str, Dated]
    rates: Rates = field(default_factory=dict)

    @classmethod
    def of(cls, job: TrainingJob, final: bool = False) -> Facts:
        """Return the facts in one reading of a job. With `final`, the totals stop waiting for what is missing."""
        as_of = job.modified or 0.0
        # A job that trained without instances is serverless and billed by tokens: no bill in seconds will come.
        by_seconds = job.training_seconds is None or bool(job.instances)
        found = {
            "outcome": [job.outcome, job.failure_category] if job.outcome else None,
            "stopped": [stop_cause(job)] if job.outcome == "Stopped" else None,
            "ended": job.ended_at,
            "spot": job.spot,
            "types": _types(job) or None,
            "seconds": job.training_seconds,
            "billable": job.billable_seconds,
            NO_BILL: (job.billable_seconds is None and (final or not by_seconds)) or None,
            FINAL: final or None,
            "interruptions": job.interruptions or None,
            "plan": bool(job.training_plan) or None,
            "retained": job.warm_pool.retained_seconds if job.warm_pool else None,
            "pool": bool(job.keep_alive_seconds) or None,
            "reused": (job.warm_pool is not None and job.warm_pool.status == "Reused") or None,
            "phases": [[t.status, t.seconds] for t in job.transitions if t.seconds is not None] or None,
        }
        known: dict[str, Dated] = {name: (as_of, value) for name, value in found.items() if value is not None}
        if job.started is not None:
            # Dated by its own negative value, the earliest start has the highest rank and wins every merge.
            known["started"] = (-job.started, job.started)
        return cls(job.created or 0.0, job.cost_tags or (), known)

    @classmethod
    def last(cls, created: float) -> Facts:
        """Return the facts of a job that no longer exists: nothing new, and nothing left to wait for."""
        return cls(created, (), {NO_BILL: (0.0, True), FINAL: (0.0, True)})

    def merged(self, other: Facts) -> Facts:
        """Return these facts, extended and corrected by another reading of the same job."""
        known = dict(self.known)
        for name, fact in other.known.items():
            if name not in known or _rank(fact) > _rank(known[name]):
                known[name] = fact
        return Facts(self.created, self.cost_tags, known, self.rates)

    def priced(self, find: Callable[[str, str], Rate | None]) -> Facts:
        """Return these facts with a rate for each billed (instance type, usage) that `find` knows a price for."""
        rates = priced(self.rates, [key for key, _, _ in self._bills()], bool(self.value("plan")), find)
        return self if rates == self.rates else replace(self, rates=rates)

    def to_json(self) -> bytes:
        return orjson.dumps([self.created, self.cost_tags, self.known, cost.to_json(self.rates)])

    @classmethod
    def from_json(cls, text: bytes | str) -> Facts:
        """Return the facts that `to_json` wrote. Raises ValueError for anything else."""
        match orjson.loads(text):
            # State files before schema version 3 have no rates.
            case [int() | float() as created, list() as tags, dict() as known, *rates] if (
                _pairs_of(_text, _text)(tags) and len(rates) <= 1
            ):
                pairs = tuple((key, value) for key, value in tags)
                dated = {name: _dated(name, fact) for name, fact in known.items()}
                return cls(created, pairs, dated, cost.from_json(rates[0]) if rates else {})
        raise ValueError("invalid facts of a job")

    def value(self, name: str) -> Any:
        """Return the value of a fact, or None if no reading had it."""
        dated = self.known.get(name)
        return dated[1] if dated else None

    @property
    def empty(self) -> bool:
        """Return whether no reading had any fact about the job."""
        return self.known.keys() <= {NO_BILL, FINAL}

    @property
    def training_seconds(self) -> float | None:
        """Return TrainingTimeInSeconds once the bill is known or no longer awaited, None before.

        The totals of trained and of billed time are compared with each other, so they must grow together.
        """
        seconds: float | None = self.value("seconds")
        return seconds if "billable" in self.known or NO_BILL in self.known else None

    @property
    def billable_seconds(self) -> float | None:
        seconds: float | None = self.value("billable")
        return seconds

    @property
    def outcome(self) -> str | None:
        return self.value("outcome")[0] if "outcome" in self.known else None

    @property
    def failure_category(self) -> str | None:
        return (self.value("outcome")[1] or "Other") if self.outcome == "Failed" else None

    @property
    def stop_cause(self) -> str | None:
        """Return what stopped the job, one of STOP_CAUSES.

        None for a job recorded before this fact existed: nothing was counted for it, so a later correction must not
        subtract anything.
        """
        cause = self.value("stopped")
        return (cause[0] or "other") if cause and self.outcome == "Stopped" else None

    @property
    def spot(self) -> str:
        return "true" if self.value("spot") else "false"

    @property
    def duration(self) -> float | None:
        """Return the seconds from creation to end, None if either is unknown."""
        return self._since_creation(self.value("ended"))

    @property
    def queued(self) -> float | None:
        """Return the seconds from creation to the first start, None if either is unknown."""
        return self._since_creation(self.value("started"))

    def _since_creation(self, time: float | None) -> float | None:
        # CreationTime may be slightly ahead of the other times, since AWS takes them on different hosts.
        return None if time is None or not self.created else round(max(0.0, time - self.created), 3)

    @property
    def modified(self) -> float:
        """Return the latest LastModifiedTime that any of the facts has, 0 if there are none."""
        return max((as_of for as_of, _ in self.known.values()), default=0.0)

    def billed(self, kind: type[_R]) -> list[tuple[tuple[str, str], _R, Fraction]]:
        """Return the billed instance seconds by (instance type, usage) with their rate, if `kind` is Rate; if it is
        str, those without a rate, and the reason for that.

        They are 0 while the bill is unknown, so that the cost series exists before its first increase and `rate()` and
        `increase()` see that increase.
        """
        return [
            (key, rate, exact(seconds) * count)
            for key, seconds, count in self._bills()
            if isinstance(rate := self.rates.get(key), kind)
        ]

    def _bills(self) -> list[tuple[tuple[str, str], float | None, int]]:
        """Return what is billed by (instance type, usage): seconds, None if not known yet, and number of instances."""
        seconds = {usage_of_training(self.value("spot")): self.billable_seconds}
        if self.value("pool") or self.value("retained") is not None:
            seconds[WARM_POOL] = self.value("retained")
        return [
            ((type_, usage), amount, count)
            for usage, amount in seconds.items()
            for type_, count in self.value("types") or ()
        ]

    def saved(self) -> list[tuple[str, Fraction]]:
        """Return the instance seconds by type that a spot job trained but was not billed for; 0 until it is settled."""
        if not self.value("spot"):
            return []
        known = self.billable_seconds is not None and self.value(FINAL)
        saved = exact(self.training_seconds) - exact(self.billable_seconds) if known else Fraction(0)
        return [(type_, max(saved, Fraction(0)) * count) for type_, count in self.value("types") or ()]

    def times_instances(self, seconds: float | None) -> list[tuple[str, float]]:
        """Return `seconds` times the number of instances, by instance type.

        Unknown seconds count as 0, so that the series of a type exists before its first increase.
        """
        return [(type_, (seconds or 0.0) * count) for type_, count in self.value("types") or ()]


def _types(job: TrainingJob) -> list[list[str | int]]:
    """Return [type, number] pairs; groups of a heterogeneous cluster with the same type are added up."""
    counts: dict[str, int] = {}
    for item in job.instances:
        counts[item.type] = counts.get(item.type, 0) + item.number
    return [[type_, counts[type_]] for type_ in sorted(counts)]


def _rank(fact: Dated) -> tuple[float, float, bytes]:
    """Return the sort key by which facts win: later first, then the one that says more.

    The JSON text breaks the remaining ties. It has no meaning, but it makes the order total, and without a total order
    the result of a merge would depend on the order of the readings.
    """
    as_of, value = fact
    more = value if isinstance(value, int | float) else sum(item is not None for item in value)
    return as_of, float(more), orjson.dumps(value)


def _dated(name: str, fact: Any) -> Dated:
    match fact:
        case [int() | float() as as_of, value] if name in _KEPT and _KEPT[name](value):
            return as_of, value
    raise ValueError(f"invalid fact: {name}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 2**53


def _outcome(value: Any) -> bool:
    match value:
        case [str(), str() | None]:
            return True
    return False


def _stopped(value: Any) -> bool:
    match value:
        case [str() | None]:
            return True
    return False


def _pairs_of(first: Callable[[Any], bool], second: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, list):
            return False
        return all(isinstance(p, list) and len(p) == 2 and first(p[0]) and second(p[1]) for p in value)

    return check


# Checks of stored values by fact name. Facts of other names are not accepted: no release has written them.
_KEPT: Mapping[str, Callable[[Any], bool]] = {
    "outcome": _outcome,
    "stopped": _stopped,
    "types": _pairs_of(_text, _number),
    "phases": _pairs_of(_text, _number),
    **dict.fromkeys(("ended", "started", "spot", "seconds", "billable", NO_BILL, FINAL), _number),
    **dict.fromkeys(("interruptions", "retained", "pool", "reused", "plan"), _number),
}
