"""How facts become numbers: what a job adds to each series, in exact integers.

Amounts of time are thousandths, as AWS's clock has milliseconds; money has the parts of its family. Sums of them are
exact in any order, unlike floats.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import add as plus
from operator import neg
from typing import Any, NamedTuple

import orjson

from exporter.exposition.family import Family, Histogram, LabelValues, Pairs, Total, Value
from exporter.training.facts import Facts
from exporter.training.totals import TOTAL_FAMILIES

# One number for a counter; for a histogram the cumulative counts by bound, then the sum.
Amounts = tuple[int, ...]
_THOUSAND = 1000
_FAMILY = {family.name: family for family in TOTAL_FAMILIES}


class SeriesKey(NamedTuple):
    """A series of a target: its family, the values of the family's labels, and the cost tags."""

    family: str
    labels: LabelValues
    tags: Pairs

    @classmethod
    def of_row(cls, family: str, labels: str | bytes) -> SeriesKey:
        """From its columns in the state file. Raises ValueError."""
        match orjson.loads(labels):
            case [list() as values, list() as tags] if _labels_of(family, values) and _are_tags(tags):
                return cls(family, tuple(values), tuple((key, value) for key, value in tags))
        raise ValueError("no series")

    def labels_text(self) -> str:
        return orjson.dumps([self.labels, self.tags]).decode()


class Series(NamedTuple):
    """A total as it is (`true`) and as it is shown: the highest it ever was, since a counter never goes down."""

    true: Amounts
    shown: Amounts
    created: float

    @classmethod
    def of_row(cls, key: SeriesKey, created: object, true: str | bytes, shown: str | bytes) -> Series:
        """From its columns in the state file. Raises ValueError."""
        if not isinstance(created, float):
            raise ValueError("no time")
        return cls(_amounts_of(key, true), _amounts_of(key, shown), created)

    def to_row(self) -> tuple[float, str, str]:
        return self.created, orjson.dumps(self.true).decode(), orjson.dumps(self.shown).decode()

    def plus(self, delta: Amounts) -> Series:
        true = add(self.true, delta)
        return Series(true, tuple(map(max, self.shown, true)), self.created)

    def beside(self, other: Series) -> Series:
        """Return both series as one."""
        return Series(add(self.true, other.true), add(self.shown, other.shown), min(self.created, other.created))

    def value(self, family: str) -> Value:
        """Return what an exposition shows. A gauge may go down, and is what it is."""
        if _FAMILY[family].kind == "gauge":
            return self.true[0] / _parts(_FAMILY[family])
        exact = [parts / _parts(_FAMILY[family]) for parts in self.shown]
        if len(exact) == 1:
            return Total(exact[0], self.created)
        return Histogram(tuple(exact[:-1]), exact[-1], self.created)


def difference(new: Facts, old: Facts | None) -> dict[SeriesKey, Amounts]:
    """What must be added to each series for a job whose facts were `old` (None: not accounted yet). A series that is
    new to the job is there even if it gets nothing."""
    found: dict[SeriesKey, Amounts] = {}
    for family in TOTAL_FAMILIES:
        tags = new.cost_tags if family.kind != "gauge" else ()
        gone = list(family.rows(old)) if old else []
        come = []
        for row in family.rows(new):
            # What stays as it was needs no sum; nearly all of a job does.
            if row in gone:
                gone.remove(row)
            else:
                come.append(row)
        for labels, value in come:
            _put(found, SeriesKey(family.name, labels, tags), _amounts(family, value))
        for labels, value in gone:
            _put(found, SeriesKey(family.name, labels, tags), tuple(map(neg, _amounts(family, value))))
    return found


def add(a: Amounts, b: Amounts) -> Amounts:
    return tuple(map(plus, a, b))


def _put(found: dict[SeriesKey, Amounts], key: SeriesKey, amounts: Amounts) -> None:
    found[key] = add(found[key], amounts) if key in found else amounts


def known_series(tags: Pairs) -> list[SeriesKey]:
    """The series that are there from the start, with 0."""
    return [SeriesKey(f.name, labels, tags) for f in TOTAL_FAMILIES for labels in f.known]


def zero(key: SeriesKey) -> Amounts:
    family = _FAMILY[key.family]
    return (0,) * (len(family.buckets) + 2) if family.buckets else (0,)


def _amounts(family: Family[Facts], value: float) -> Amounts:
    if family.parts > 1:
        return (round(value),)
    thousandths = round(value * _THOUSAND)
    if not family.buckets:
        return (thousandths,)
    first = bisect_left(family.buckets, value)
    counts = [0] * first + [1000] * (len(family.buckets) + 1 - first)
    return (*counts, thousandths)


def _parts(family: Family[Facts]) -> int:
    return family.parts if family.parts > 1 else _THOUSAND


def _amounts_of(key: SeriesKey, text: str | bytes) -> Amounts:
    numbers = orjson.loads(text)
    if not isinstance(numbers, list) or [type(n) for n in numbers] != [int] * len(zero(key)):
        raise ValueError("no amounts")
    return tuple(numbers)


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _labels_of(family: str, values: list[Any]) -> bool:
    return family in _FAMILY and len(values) == len(_FAMILY[family].labels) and _texts(values)


def _are_tags(pairs: list[Any]) -> bool:
    """Whether these are tags, each key once: a label cannot have two values."""
    if not all(isinstance(pair, list) and len(pair) == 2 and _texts(pair) for pair in pairs):
        return False
    return len({key for key, _ in pairs}) == len(pairs)
