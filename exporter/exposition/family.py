"""What a metric family is, one row of the catalogue; and what a group of families is, one part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

# Keys and values that become labels.
Pairs = tuple[tuple[str, str], ...]
# Only OpenMetrics has the type "info": to the text format it is a gauge.
Kind = Literal["gauge", "counter", "histogram", "info"]
# A label whose name ends in "_KEY" stands for many: its value is the pairs that become labels of their own.
LabelValues = tuple[str | Pairs, ...]
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

TARGET = ("aws_account_id", "aws_region")
JOB = (*TARGET, "job_name")


class Total(NamedTuple):
    """A counter's value and since when it counts (Unix seconds)."""

    value: float
    created: float


class Histogram(NamedTuple):
    """Observations at most each bound of its family, the last one without bound, and their sum."""

    cumulative: tuple[float, ...]
    sum: float
    created: float


Value = float | Total | Histogram  # what a sample of an exposition shows
Row = tuple[LabelValues, float]
Sample = tuple[LabelValues, Value]


@dataclass(frozen=True, slots=True)
class Family(Generic[T_contra]):
    """`labels` follow those of `base`, which says whose the samples are. `rows` gives the values of `labels`
    and the value of each sample of one thing; of a counter or histogram in the ledger, what one job adds.
    `known` label values are there from the start, with 0. In the ledger the
    rows may count in whole parts, of which so many make 1, where floats are not exact enough."""

    name: str
    kind: Kind
    help: str
    base: tuple[str, ...]
    labels: tuple[str, ...]
    rows: Callable[[T_contra], Iterable[Row]]
    known: tuple[LabelValues, ...] = ()
    buckets: tuple[float, ...] = ()
    parts: int = 1

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.base + self.labels


def rows(family: Family[T], thing: T) -> Iterable[Sample]:
    """Return the samples of a family for a thing as its rows."""
    return family.rows(thing)


@dataclass(frozen=True, slots=True, eq=False)
class Group(Generic[T]):
    """Families that show things of the same type T: all of them are rendered when such a thing changes.

    `title` is its heading in the documents. `samples` gives the samples of a family for one thing. Families that are
    `per_job` have series for each job, which `jobs.per_job_metrics` turns off.
    """

    title: str
    families: tuple[Family[Any], ...]
    samples: Callable[[Family[Any], T], Iterable[Sample]] = rows
    per_job: bool = False


def single(value: float | None) -> Iterable[Row]:
    """One sample without labels of its own, or none where the value is unknown."""
    return () if value is None else (((), value),)


def counted(family: Family[T], thing: T, since: float) -> Iterable[Sample]:
    """Return the samples of a family whose counters are kept in memory, `since` a Unix time."""
    if family.kind != "counter":
        return family.rows(thing)
    return [(labels, Total(value, since)) for labels, value in family.rows(thing)]


def state_set(current: str | None, known: tuple[str, ...]) -> Iterable[Row]:
    """1 for the current state, 0 for the other known ones; one nobody knows is added."""
    if current is None:
        return ()
    states = known if current in known else (*known, current)
    return [((state,), float(state == current)) for state in states]
