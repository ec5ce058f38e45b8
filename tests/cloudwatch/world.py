"""A CloudWatch that answers as it is told, in virtual time, and a view that keeps what is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from exporter.cloudwatch.api import Metric, MetricSource, Series
from exporter.cloudwatch.planning import Selection
from exporter.cloudwatch.reader import Reader, ReaderSettings
from exporter.cloudwatch.readings import JobReading, Readings
from exporter.polling.api import ApiError
from exporter.prices.hardware import hardware_of
from exporter.training.job import Instances, TrainingJob
from tests.virtual_time import START, LoopClock, background

INTERVAL = 300.0
GPU = Selection(("gpu",))


def job(name: str = "a", number: int = 1, type_: str = "ml.g5.2xlarge", **fields: object) -> TrainingJob:
    base = TrainingJob(
        account="1",
        region="r",
        name=name,
        status="InProgress",
        secondary_status="Training",
        created=START,
        started=START,
        instances=(Instances(type_, "", number),),
        metric_names=("loss", "acc"),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


@dataclass
class World:
    """CloudWatch that answers every metric with `value` at the newest minute, `lag` minutes late, and a view."""

    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    value: float = 50.0
    lag: int = 0
    silent: set[str] = field(default_factory=set)
    statuses: Mapping[str, str] = field(default_factory=dict)
    error: ApiError | None = None
    fails: Callable[[int], bool] = lambda _: True
    unopened: ApiError | None = None
    broken: bool = False
    reads: list[tuple[float, int]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    shown: dict[str, JobReading] = field(default_factory=dict)
    up: bool | None = None
    failures: list[str] = field(default_factory=list)
    readings: Readings = field(default_factory=lambda: Readings(START))
    during_read: Callable[[], None] = lambda: None
    ready: bool = True

    async def read(self, metrics: Sequence[Metric], start: float, end: float) -> Mapping[Metric, Series]:
        self.reads.append((round(LoopClock().monotonic()), len(metrics)))
        self.spans.append((start, end))
        self.readings.requested += len(metrics)
        self.during_read()
        if self.broken:
            raise ValueError("a mistake")
        if self.error and self.fails(len(self.reads)):
            raise self.error
        point = (end - 60 * (1 + self.lag), self.value)
        return {metric: self._series(metric, point) for metric in metrics}

    def _series(self, metric: Metric, point: tuple[float, float]) -> Series:
        status = self.statuses.get(metric.name, "Complete")
        said = status == "Complete" and metric.value.partition("/")[0] not in self.silent
        return Series((point,) if said else (), status)

    def now(self) -> float:
        return LoopClock().time()

    def job(self, name: str, reading: JobReading) -> None:
        self.shown[name] = replace(reading)
        if not reading.utilization and not reading.algorithm:
            del self.shown[name]

    def state(self, readings: Readings) -> None:
        self.up = readings.up

    def ratio(self, name: str = "a") -> float | None:
        found = self.shown[name].utilization if name in self.shown else None
        return found.ratios["gpu"][0][1] if found else None

    def open(self) -> AbstractAsyncContextManager[MetricSource]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[MetricSource]:
            if self.unopened:
                raise self.unopened
            yield self

        return opened()

    def reader(self, selection: Selection = GPU, interval: float = INTERVAL, most: int = 20_000) -> Reader:
        return Reader(
            "1/r",
            ReaderSettings(selection, interval, most),
            lambda: tuple(self.jobs.values()),
            lambda: self.ready,
            hardware_of,
            self.open,
            self.readings,
            self,
            lambda error: self.failures.append(error.code),
            LoopClock(),
        )


def world(*jobs: TrainingJob, **fields: object) -> World:
    return World({each.name: each for each in jobs}, **fields)  # type: ignore[arg-type]


def reading(reader: Reader) -> AbstractAsyncContextManager[None]:
    """Read in the background while the block runs, which begins when the first read is over."""
    return background(reader.run(), 1)
