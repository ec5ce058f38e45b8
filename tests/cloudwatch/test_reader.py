"""The loop that reads CloudWatch: when it reads, what it shows and for how long, and what stays when a read fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from exporter.cloudwatch.api import GET_METRIC_DATA, Metric, MetricSource, Series
from exporter.cloudwatch.planning import Selection
from exporter.cloudwatch.reader import Reader, ReaderSettings
from exporter.cloudwatch.readings import JobReading, Readings
from exporter.polling.api import ApiError
from exporter.prices.hardware import hardware_of
from exporter.training.job import Instances, TrainingJob
from tests.logged import field as logged
from tests.logged import messages
from tests.virtual_time import START, LoopClock, run

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
        return {
            metric: Series(
                () if metric.value.partition("/")[0] in self.silent else (point,),
                self.statuses.get(metric.name, "Complete"),
            )
            for metric in metrics
        }

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


@asynccontextmanager
async def reading(reader: Reader) -> AsyncIterator[None]:
    task = asyncio.create_task(reader.run())
    await asyncio.sleep(1)
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_active_jobs_are_read_once_an_interval_in_whole_minutes() -> None:
    async def scenario() -> None:
        at = world(job("a"), job("b", 2), job("over", status="Completed"), job("waits", secondary_status="Starting"))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [3]
            assert at.ratio("a") == at.ratio("b") == 0.5
            assert at.shown.keys() == {"a", "b"}
            await asyncio.sleep(3 * INTERVAL + 60)
        times = [time for time, _ in at.reads]
        assert [round((time - times[0]) / INTERVAL, 1) for time in times] == [0, 1, 2, 3]
        assert at.readings.requested == 12
        for (start, end), time in zip(at.spans, times, strict=True):
            assert start % 60 == end % 60 == 0
            # The minute that is not over is not asked for, and the span has what a failed read has missed.
            assert 0 <= START + time - end < 61
            assert end - start == 900
        assert at.up is True

    run(scenario())


def test_nothing_is_requested_without_jobs_and_the_first_one_is_read_soon() -> None:
    async def scenario() -> None:
        at = world()
        async with reading(at.reader()):
            await asyncio.sleep(3600)
            assert (at.reads, at.up) == ([], None)
            at.jobs["a"] = job()
            await asyncio.sleep(11)
            assert len(at.reads) == 1

    run(scenario())


def test_nothing_is_requested_before_the_jobs_are_known() -> None:
    async def scenario() -> None:
        at = world(job(), ready=False)
        async with reading(at.reader()):
            await asyncio.sleep(600)
            assert at.reads == []
            at.ready = True
            await asyncio.sleep(11)
            assert len(at.reads) == 1

    run(scenario())


def test_500_metrics_are_a_call() -> None:
    async def scenario() -> None:
        at = world(job("a", 700), job("b", 400))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500, 500, 100]

    run(scenario())


def test_a_value_ends_when_the_source_was_silent_for_three_intervals() -> None:
    async def scenario() -> None:
        at = world(job(), lag=2)
        async with reading(at.reader()):
            assert at.ratio() == 0.5
            # The minute was over 2 minutes, and up to one more, before it was read.
            at.silent = {"a"}
            await asyncio.sleep(3 * INTERVAL - 200)
            assert at.ratio() == 0.5
            await asyncio.sleep(100)
            assert at.ratio() is None
            assert at.up is True
            at.silent = set()
            await asyncio.sleep(INTERVAL)
            assert at.ratio() == 0.5

    run(scenario())


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "Timeout", "InternalFailure"])
def test_a_source_that_fails_is_one_warning_and_the_last_values_stay_for_a_while(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter")

    async def scenario() -> None:
        at = world(job())
        async with reading(at.reader()):
            at.error = ApiError(GET_METRIC_DATA, code)
            await asyncio.sleep(2 * INTERVAL)
            assert (at.ratio(), at.up) == (0.5, False)
            await asyncio.sleep(2 * INTERVAL)
            assert at.ratio() is None
            assert messages(caplog) == ["CloudWatch cannot be read"]
            # Nothing is asked more often for it.
            assert len(at.reads) == 5
            assert at.failures == [code] * 4
            at.error = None
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)
            assert messages(caplog)[1:] == ["CloudWatch is read again"]

    run(scenario())


def test_after_a_denied_or_throttled_call_the_rest_is_not_asked() -> None:
    async def scenario() -> None:
        at = world(job("a", 700), job("b", 400), error=ApiError(GET_METRIC_DATA, "ThrottlingException"))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500]
        # A bad answer is not the next one's.
        at = world(job("a", 500), job("b", 400), error=ApiError(GET_METRIC_DATA, "InvalidResponse"))
        at.fails = lambda number: number == 1
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500, 400]
            assert at.shown.keys() == {"b"}
            assert at.up is False

    run(scenario())


def test_credentials_that_fail_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job(), unopened=ApiError("AssumeRole", "AccessDenied"))
        async with reading(at.reader()):
            await asyncio.sleep(2 * INTERVAL)
            assert at.up is False
            assert messages(caplog) == ["CloudWatch cannot be read"]
            at.unopened = None
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)

    run(scenario())


def test_a_mistake_of_ours_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job(), broken=True)
        async with reading(at.reader()):
            assert at.up is False
            await asyncio.sleep(10)
            at.broken = False
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)
            assert messages(caplog) == ["reading CloudWatch failed unexpectedly"]

    run(scenario())


def test_metrics_that_are_forbidden_or_fail_are_reported_and_the_others_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        at = world(job(), statuses={"CPUUtilization": "Forbidden", "DiskUtilization": "InternalError"})
        at.silent = set()
        async with reading(at.reader(Selection(("cpu", "gpu", "disk")))):
            assert at.ratio() == 0.5
            assert at.up is False
            assert logged(caplog, "code") == ["Forbidden", "InternalError"]

    run(scenario())


def test_a_job_that_ends_while_it_is_read_is_not_shown_again() -> None:
    async def scenario() -> None:
        at = world(job("a"), job("b"))
        at.during_read = lambda: at.jobs.update(a=job("a", status="Completed", secondary_status="Completed"))
        async with reading(at.reader()):
            assert at.shown.keys() == {"b"}
        # Nor does another job of the same name get its values.
        at = world(job("a"), job("b"))
        at.during_read = lambda: at.jobs.update(a=job("a", created=START + 50.0))
        async with reading(at.reader()):
            assert at.shown.keys() == {"b"}

    run(scenario())


def test_algorithm_metrics_keep_their_latest_value_while_the_source_answers() -> None:
    async def scenario() -> None:
        at = world(job(), value=0.25)
        async with reading(at.reader(Selection((), ("loss",)))):
            (emitted,) = at.shown["a"].algorithm.values()
            assert emitted.value == 0.25
            assert emitted.minute == at.spans[0][1] - 60
            # It may be logged once an epoch.
            at.silent = {"a"}
            await asyncio.sleep(8 * INTERVAL)
            assert at.shown["a"].algorithm == {"loss": emitted}
            at.error = ApiError(GET_METRIC_DATA, "Timeout")
            await asyncio.sleep(4 * INTERVAL)
            assert "a" not in at.shown
            assert {number for _, number in at.reads} == {1}

    run(scenario())


def test_the_guard_leaves_out_the_youngest_jobs_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        jobs = [job(f"job-{number}", 2, created=START + number) for number in range(5)]
        at = world(*jobs)
        # 84 an hour are 7 a read.
        async with reading(at.reader(most=84)):
            assert at.shown.keys() == {"job-0", "job-1", "job-2"}
            await asyncio.sleep(3600 - 2)
            assert at.readings.requested <= 84
            assert messages(caplog) == ["cloudwatch.max_metrics_per_hour leaves jobs out"]
            assert logged(caplog, "jobs") == [2]
            assert (logged(caplog, "wanted_per_read"), logged(caplog, "allowed_per_read")) == ([10], [7])
            del at.jobs["job-0"]
            await asyncio.sleep(INTERVAL)
            assert "job-3" in at.shown

    run(scenario())


def test_unknown_hardware_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job("a", type_="ml.z9.xlarge"), job("b"))
        async with reading(at.reader()):
            await asyncio.sleep(2 * INTERVAL)
            assert at.shown.keys() == {"b"}
            assert messages(caplog) == ["unknown hardware; the instance type has no utilization by vCPU or GPU"]
            assert logged(caplog, "instance_type") == ["ml.z9.xlarge"]

    run(scenario())


def test_a_second_reader_shows_what_the_first_has_read_and_reads_no_more_often() -> None:
    """As during a reload, and after a poller began anew."""

    async def scenario() -> None:
        first = world(job())
        async with reading(first.reader()):
            second = world(job())
            second.readings = first.readings
            async with reading(second.reader()):
                assert (second.ratio(), second.reads) == (0.5, [])
                await asyncio.sleep(4 * INTERVAL)
                assert len(first.reads) + len(second.reads) == 5
                assert first.ratio() == second.ratio() == 0.5
        third = world(job())
        third.readings = first.readings
        async with reading(third.reader()):
            assert (third.ratio(), third.reads) == (0.5, [])

    run(scenario())


def test_a_short_interval_does_not_end_values_that_are_merely_late() -> None:
    async def scenario() -> None:
        at = world(job(), lag=3)
        async with reading(at.reader(interval=10.0)):
            for _ in range(60):
                await asyncio.sleep(10)
                assert at.ratio() == 0.5

    run(scenario())


def test_once_reads_once() -> None:
    async def scenario() -> None:
        at = world(job())
        await at.reader().once()
        assert (at.ratio(), len(at.reads)) == (0.5, 1)
        at.unopened = ApiError("AssumeRole", "AccessDenied")
        await at.reader().once()
        assert at.up is False
        at.unopened, at.readings.due = None, 0.0
        await at.reader().once()
        assert at.up is True
        at.broken, at.readings.due = True, 0.0
        await at.reader().once()
        assert at.up is False

    run(scenario())
