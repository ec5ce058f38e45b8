"""What the reader needs of CloudWatch in one account and region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

GET_METRIC_DATA = "GetMetricData"
# The most metrics that one call may request.
BATCH = 500
# CloudWatch has one value a minute of these metrics, stamped with the start of the minute.
MINUTE = 60.0
# The dimension of a metric of one instance, and of a metric of a whole job.
HOST, JOB_NAME = "Host", "TrainingJobName"
COMPLETE = "Complete"
# The rest of such an answer arrives with a later read: its values are good.
PARTIAL = "PartialData"


class Metric(NamedTuple):
    """A metric by its name and its only dimension."""

    name: str
    dimension: str
    value: str


class Series(NamedTuple):
    """The points of a metric, newest first, as (Unix time, value), and the StatusCode of the answer."""

    points: tuple[tuple[float, float], ...]
    status: str = COMPLETE

    @property
    def usable(self) -> bool:
        """Return whether CloudWatch read the metric; a metric that does not exist is complete without points."""
        return self.status in (COMPLETE, PARTIAL)


class MetricSource(Protocol):
    """CloudWatch in one account and region."""

    async def read(self, metrics: Sequence[Metric], start: float, end: float) -> Mapping[Metric, Series]:
        """Return the values of at most BATCH metrics by minute, from `start` until before `end` (Unix seconds). Raises
        ApiError."""
        ...

    def now(self) -> float:
        """Return AWS's time in Unix seconds."""
        ...
