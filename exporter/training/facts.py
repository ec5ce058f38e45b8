"""What the totals know of one job, and how a new reading of it is merged in.

Facts form a semilattice: whatever the order, the repetition or the loss of readings in between, the same set of
readings gives the same facts. Of each fact the reading of the latest LastModifiedTime counts; among readings of the
same moment the one that says more. A reading that does not know a fact says nothing about it. Only of the times at
which a job started the earliest counts: where a later start replaces it, the job did not wait all that time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import orjson

from exporter.exposition.family import Pairs
from exporter.training import cost
from exporter.training.cost import Rate, Rates, exact, priced
from exporter.training.job import TrainingJob
from exporter.training.stops import stop_cause
from exporter.training.usage import WARM_POOL, usage_of_training

# A fact as of a LastModifiedTime; its value is of JSON's types, so that it is the same before and after the file.
Dated = tuple[float, Any]
# No bill in seconds is waited for: there is none for such a job, or AWS had its time. Once known it stays known, so
# that training seconds that were counted without a bill are never counted again.
NO_BILL = "no_bill"
# The job was settled once: what gets smaller as a bill grows waits for that, as a counter cannot go down again.
FINAL = "final"


@dataclass(frozen=True, slots=True)
class Facts:
    """`known` by name; `cost_tags` are those of the first reading, so that a job never moves between totals;
    `rates` are those in force when the job was first priced: no later price list reprices it."""

    created: float
    cost_tags: Pairs
    known: Mapping[str, Dated]
    rates: Rates = field(default_factory=dict)

    @classmethod
    def of(cls, job: TrainingJob, final: bool = False) -> Facts:
        """What a reading says; with `final`, nothing that it lacks is waited for."""
        as_of = job.modified or 0.0
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
            # What ranks by minus the time itself: the earliest start is the highest.
            known["started"] = (-job.started, job.started)
        return cls(job.created or 0.0, job.cost_tags or (), known)

    @classmethod
    def last(cls, created: float) -> Facts:
        """Nothing new, and nothing is waited for."""
        return cls(created, (), {NO_BILL: (0.0, True), FINAL: (0.0, True)})

    def merged(self, other: Facts) -> Facts:
        """These facts and what another reading of the same job adds or corrects."""
        known = dict(self.known)
        for name, fact in other.known.items():
            if name not in known or _rank(fact) > _rank(known[name]):
                known[name] = fact
        return Facts(self.created, self.cost_tags, known, self.rates)

    def priced(self, find: Callable[[str, str], Rate | None]) -> Facts:
        """These facts with a rate for each type and usage that the job pays for, where `find` knows one."""
        rates = priced(self.rates, [key for key, _ in self.billed()], bool(self.value("plan")), find)
        return self if rates == self.rates else replace(self, rates=rates)

    def to_json(self) -> bytes:
        return orjson.dumps([self.created, self.cost_tags, self.known, cost.to_json(self.rates)])

    @classmethod
    def from_json(cls, text: bytes | str) -> Facts:
        """Raises ValueError for what `to_json` cannot have written."""
        match orjson.loads(text):
            # Before version 3 of the state file there were no rates.
            case [int() | float() as created, list() as tags, dict() as known, *rates] if (
                _pairs_of(_text, _text)(tags) and len(rates) <= 1
            ):
                pairs = tuple((key, value) for key, value in tags)
                dated = {name: _dated(name, fact) for name, fact in known.items()}
                return cls(created, pairs, dated, cost.from_json(rates[0]) if rates else {})
        raise ValueError("no facts of a job")

    def value(self, name: str) -> Any:
        """A fact, or None where no reading knew it."""
        dated = self.known.get(name)
        return dated[1] if dated else None

    @property
    def empty(self) -> bool:
        """Whether no reading said anything of the job."""
        return self.known.keys() <= {NO_BILL, FINAL}

    @property
    def training_seconds(self) -> float | None:
        """How long it trained, once its bill is known too or none is waited for: totals of both grow together."""
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
        """What stopped the job. None also for one that was accounted for before there was this fact: nothing was added
        for it, so nothing may be taken away."""
        cause = self.value("stopped")
        return (cause[0] or "other") if cause and self.outcome == "Stopped" else None

    @property
    def spot(self) -> str:
        return "true" if self.value("spot") else "false"

    @property
    def duration(self) -> float | None:
        """Seconds from creation to end."""
        return self._since_creation(self.value("ended"))

    @property
    def queued(self) -> float | None:
        """Seconds from creation to the first start."""
        return self._since_creation(self.value("started"))

    def _since_creation(self, time: float | None) -> float | None:
        return None if time is None or not self.created else round(max(0.0, time - self.created), 3)

    @property
    def modified(self) -> float:
        """The latest LastModifiedTime that said anything."""
        return max((as_of for as_of, _ in self.known.values()), default=0.0)

    def billed(self) -> list[tuple[tuple[str, str], Fraction]]:
        """Return the billed instance seconds of each type and usage that the job pays for; 0 while they are not known,
        so that a series of its cost is there before the first bill."""
        usage = usage_of_training(self.value("spot"))
        seconds = {usage: self.billable_seconds}
        if self.value("pool") or self.value("retained") is not None:
            seconds[WARM_POOL] = self.value("retained")
        return [
            ((type_, usage), exact(amount) * count)
            for usage, amount in seconds.items()
            for type_, count in self.value("types") or ()
        ]

    def saved(self) -> list[tuple[str, Fraction]]:
        """Return the instance seconds by type that a spot job trained and is not billed for; 0 until it is settled."""
        if not self.value("spot"):
            return []
        known = self.billable_seconds is not None and self.value(FINAL)
        saved = exact(self.training_seconds) - exact(self.billable_seconds) if known else Fraction(0)
        return [(type_, max(saved, Fraction(0)) * count) for type_, count in self.value("types") or ()]

    def times_instances(self, seconds: float | None) -> list[tuple[str, float]]:
        """Seconds times the instances of each type. While the seconds are not known nothing is counted yet, but the
        types already are: so their totals exist with 0 before the first bill."""
        return [(type_, (seconds or 0.0) * count) for type_, count in self.value("types") or ()]


def _types(job: TrainingJob) -> list[list[str | int]]:
    """Instances by type: the groups of a heterogeneous cluster may share one."""
    counts: dict[str, int] = {}
    for item in job.instances:
        counts[item.type] = counts.get(item.type, 0) + item.number
    return [[type_, counts[type_]] for type_ in sorted(counts)]


def _rank(fact: Dated) -> tuple[float, float, bytes]:
    """A total order: later, then more, then anything that makes ties the same for everyone."""
    as_of, value = fact
    more = value if isinstance(value, int | float) else sum(item is not None for item in value)
    return as_of, float(more), orjson.dumps(value)


def _dated(name: str, fact: Any) -> Dated:
    match fact:
        case [int() | float() as as_of, value] if name in _KEPT and _KEPT[name](value):
            return as_of, value
    raise ValueError(f"no fact: {name}")


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


# What a kept value must be, by the name of its fact.
_KEPT: Mapping[str, Callable[[Any], bool]] = {
    "outcome": _outcome,
    "stopped": _stopped,
    "types": _pairs_of(_text, _number),
    "phases": _pairs_of(_text, _number),
    **dict.fromkeys(("ended", "started", "spot", "seconds", "billable", NO_BILL, FINAL), _number),
    **dict.fromkeys(("interruptions", "retained", "pool", "reused", "plan"), _number),
}
