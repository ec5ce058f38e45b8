"""What a metric family is: one row of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from exporter.training.job import Pairs

Kind = Literal["gauge", "counter", "histogram"]
# A label whose name ends in "_KEY" stands for many: its value is the pairs that become labels of their own.
LabelValues = tuple[str | Pairs, ...]
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


@dataclass(frozen=True, slots=True)
class Family(Generic[T_contra]):
    """`labels` follow those of `base`, which says whose the samples are. `rows` gives the values of `labels`
    and the value of each sample of one thing; of a counter or histogram in the ledger, what one job adds.
    `known` label values are there from the start, with 0."""

    name: str
    kind: Kind
    help: str
    base: tuple[str, ...]
    labels: tuple[str, ...]
    rows: Callable[[T_contra], Iterable[Row]]
    known: tuple[LabelValues, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.base + self.labels


def single(value: float | None) -> Iterable[Row]:
    """One sample without labels of its own, or none where the value is unknown."""
    return () if value is None else (((), value),)


def state_set(current: str | None, known: tuple[str, ...]) -> Iterable[Row]:
    """1 for the current state, 0 for the other known ones; one nobody knows is added."""
    if current is None:
        return ()
    states = known if current in known else (*known, current)
    return [((state,), float(state == current)) for state in states]
