"""Define a metric family, which is one row of the catalogue, and a group of families, which is one part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

# (key, value) pairs that become labels.
Pairs = tuple[tuple[str, str], ...]
# The type "info" exists only in OpenMetrics; the text format has it as a gauge.
Kind = Literal["gauge", "counter", "histogram", "info"]
# The value of a label whose name ends in "_KEY" is pairs, each of which becomes a label.
LabelValues = tuple[str | Pairs, ...]
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

TARGET = ("aws_account_id", "aws_region")
JOB = (*TARGET, "job_name")


class Total(NamedTuple):
    """The value of a counter, and the Unix time at which it was created."""

    value: float
    created: float


class Histogram(NamedTuple):
    """The cumulative counts of a histogram's buckets, the last one being +Inf, the sum of the observations, and the
    Unix time at which it was created."""

    cumulative: tuple[float, ...]
    sum: float
    created: float


Value = float | Total | Histogram
Row = tuple[LabelValues, float]
Sample = tuple[LabelValues, Value]


@dataclass(frozen=True, slots=True)
class Family(Generic[T_contra]):
    """A metric family: its name, type and HELP text, its labels, and the function that computes its rows.

    `base` are the labels that identify the thing, such as a job; `labels` are added to them. `rows` returns, for one
    thing, the values of `labels` and the value of each sample. For the families of the ledger it returns what one job
    adds to each series. `known` label values exist from the start with 0. `buckets` are the upper bounds of a
    histogram without +Inf. `parts` is for amounts that a float cannot hold exactly: if it is above 1, the rows are
    integers in units of 1 / `parts`. `policy` names the file in deploy/iam without whose permissions the family has no
    samples or not all of them; "" for what the exporter knows by itself.
    """

    name: str
    kind: Kind
    help: str
    base: tuple[str, ...]
    labels: tuple[str, ...]
    rows: Callable[[T_contra], Iterable[Row]]
    known: tuple[LabelValues, ...] = ()
    buckets: tuple[float, ...] = ()
    parts: int = 1
    policy: str = "describe"

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the names of all labels, in the order of the exposition."""
        return self.base + self.labels


def rows(family: Family[T], thing: T) -> Iterable[Sample]:
    """Return the rows of a family for one thing as its samples."""
    return family.rows(thing)


@dataclass(frozen=True, slots=True, eq=False)
class Group(Generic[T]):
    """Families that are rendered from things of the same type T, whenever such a thing changes.

    `title` is the heading in docs/metrics.md. `samples` returns the samples of a family for one thing. `per_job` groups
    have series for each job, and can be turned off with `jobs.per_job_metrics`.
    """

    title: str
    families: tuple[Family[Any], ...]
    samples: Callable[[Family[Any], T], Iterable[Sample]] = rows
    per_job: bool = False


def single(value: float | None) -> Iterable[Row]:
    """Return one row without labels, or none if the value is unknown."""
    return () if value is None else (((), value),)


def counted(family: Family[T], thing: T, since: float) -> Iterable[Sample]:
    """Return the samples of a family whose counters are kept in memory and were created at `since` (Unix seconds)."""
    if family.kind != "counter":
        return family.rows(thing)
    return [(labels, Total(value, since)) for labels, value in family.rows(thing)]


def state_set(current: str | None, known: tuple[str, ...]) -> Iterable[Row]:
    """Return a row for each known state, 1 for the current one and 0 for the others. An unknown state is added."""
    if current is None:
        return ()
    states = known if current in known else (*known, current)
    return [((state,), float(state == current)) for state in states]
