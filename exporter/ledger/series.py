"""Turn facts into numbers: what a job adds to each series, in exact integers.

Times and counts are stored in thousandths, as AWS's times have milliseconds; costs in the `parts` of their family. Sums
of integers are exact in any order, unlike sums of floats: what was added for a job can be subtracted without a residue.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from operator import add as plus
from operator import neg
from typing import Any, NamedTuple

import orjson

from exporter.exposition.family import Family, Histogram, LabelValues, Pairs, Total, Value
from exporter.training.facts import Facts
from exporter.training.totals import TOTAL_FAMILIES

# One number for a counter or gauge; for a histogram the cumulative counts by bucket, then the sum.
Amounts = tuple[int, ...]
_THOUSAND = 1000
_NUMBERS = re.compile(r"\[-?[0-9]+(?:,-?[0-9]+)*\]", re.ASCII)
_FAMILY = {family.name: family for family in TOTAL_FAMILIES}


class SeriesKey(NamedTuple):
    """Identify a series of a target: its family, the values of the family's labels, and the cost tags."""

    family: str
    labels: LabelValues
    tags: Pairs

    @classmethod
    def of_row(cls, family: str, labels: str | bytes) -> SeriesKey:
        """Return the key from its columns in the state file. Raises ValueError if they are invalid."""
        match orjson.loads(labels):
            case [list() as values, list() as tags] if _labels_of(family, values) and _are_tags(tags):
                return cls(family, tuple(values), tuple((key, value) for key, value in tags))
        raise ValueError("invalid labels of a series")

    def labels_text(self) -> str:
        """Return the column `labels` of the state file, a JSON text."""
        return orjson.dumps([self.labels, self.tags]).decode()


class Series(NamedTuple):
    """A total: its exact value (`true`), and the value `shown`, which is the highest it ever had.

    A correction by AWS can lower the exact value. Prometheus would take a lower sample for a counter reset and count
    the whole value again, so what is shown stays until the exact value exceeds it. `created` is in Unix seconds.
    """

    true: Amounts
    shown: Amounts
    created: float

    @classmethod
    def of_row(cls, key: SeriesKey, created: object, true: object, shown: object) -> Series:
        """Return the series from its columns in the state file. Raises ValueError if they are invalid."""
        if not isinstance(created, float):
            raise ValueError("invalid creation time of a series")
        return cls(_amounts_of(key, true), _amounts_of(key, shown), created)

    def to_row(self) -> tuple[float, str, str]:
        """Return the columns `created`, `true` and `shown` of the state file."""
        return self.created, _text_of(self.true), _text_of(self.shown)

    def plus(self, delta: Amounts) -> Series:
        """Return the series after an addition. A negative `delta` lowers only the exact value."""
        true = add(self.true, delta)
        return Series(true, tuple(map(max, self.shown, true)), self.created)

    def beside(self, other: Series) -> Series:
        """Return the sum of two series."""
        return Series(add(self.true, other.true), add(self.shown, other.shown), min(self.created, other.created))

    def number(self, family: str) -> float:
        """Return the value of a counter or a gauge. A gauge may go down, so it shows the exact value."""
        amounts = self.true if _FAMILY[family].kind == "gauge" else self.shown
        return amounts[0] / _parts(_FAMILY[family])

    def value(self, family: str) -> Value:
        """Return the value of the sample."""
        if not _FAMILY[family].buckets:
            number = self.number(family)
            return number if _FAMILY[family].kind == "gauge" else Total(number, self.created)
        exact = [parts / _parts(_FAMILY[family]) for parts in self.shown]
        return Histogram(tuple(exact[:-1]), exact[-1], self.created)


def difference(new: Facts, old: Facts | None) -> dict[SeriesKey, Amounts]:
    """Return what to add to each series when the facts of a job change from `old` (None: not counted yet) to `new`.

    A series that the job has for the first time is included even with 0, so that it is created.
    """
    found: dict[SeriesKey, Amounts] = {}
    for family in TOTAL_FAMILIES:
        tags = new.cost_tags if family.kind != "gauge" else ()
        gone = list(family.rows(old)) if old else []
        come = []
        for row in family.rows(new):
            # Rows that did not change cancel out. Skipping them saves nearly all of the work of a reading.
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
    """Return the keys of the preset series, which exist with 0 from the start."""
    return [SeriesKey(f.name, labels, tags) for f in TOTAL_FAMILIES for labels in f.known]


def zero(key: SeriesKey) -> Amounts:
    """Return the amounts of a new series."""
    family = _FAMILY[key.family]
    return (0,) * (len(family.buckets) + 2) if family.buckets else (0,)


def _amounts(family: Family[Facts], value: float) -> Amounts:
    # Rows of a family with parts are whole parts already: a float could not hold them exactly.
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


def _text_of(amounts: Amounts) -> str:
    """Return amounts as a JSON text. Its numbers may have any size, unlike those that orjson writes."""
    return f"[{','.join(map(str, amounts))}]"


def _amounts_of(key: SeriesKey, text: object) -> Amounts:
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        raise ValueError("invalid amounts of a series")
    amounts = tuple(map(int, text[1:-1].split(",")))
    if len(amounts) != len(zero(key)):
        raise ValueError("invalid number of amounts of a series")
    return amounts


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _labels_of(family: str, values: list[Any]) -> bool:
    return family in _FAMILY and len(values) == len(_FAMILY[family].labels) and _texts(values)


def _are_tags(pairs: list[Any]) -> bool:
    """Return whether these are tags with distinct keys: a label cannot have two values."""
    if not all(isinstance(pair, list) and len(pair) == 2 and _texts(pair) for pair in pairs):
        return False
    return len({key for key, _ in pairs}) == len(pairs)
