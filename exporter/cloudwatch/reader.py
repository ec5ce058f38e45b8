"""Reads CloudWatch for one target at a fixed interval: what its active jobs' instances and algorithms report."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from exporter.clock import Clock
from exporter.cloudwatch.api import BATCH, GET_METRIC_DATA, MINUTE, Metric, MetricSource, Series
from exporter.cloudwatch.planning import HardwareOf, JobPlan, Selection, fitting, is_active, plan
from exporter.cloudwatch.ratios import latest, utilization
from exporter.cloudwatch.readings import JobReading, Readings
from exporter.polling.api import ApiError
from exporter.process.logs import Log
from exporter.training.job import TrainingJob

_log = Log(__name__)
# Seconds between checks for due reads and expired values; and between checks whether the jobs are known yet.
_TICK, _FIRST_TICK = 10.0, 1.0
# Values arrive some minutes late. A sample that is younger than this is never dropped.
_LAG = 300.0
# How many intervals a source may be silent before its samples end.
_SILENT = 3
_NO_VALUES = JobReading(None)


class View(Protocol):
    """Shows what the reader has read."""

    def job(self, name: str, reading: JobReading) -> None: ...

    def state(self, readings: Readings) -> None: ...


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What is read and how often (seconds), how many metrics may be requested per hour, and whether a job of a name has
    series of its own."""

    selection: Selection
    interval: float
    max_metrics_per_hour: int
    selects: Callable[[str], bool] = lambda _: True

    @property
    def most(self) -> int:
        """Return how many metrics one read may request."""
        return int(self.max_metrics_per_hour * self.interval / 3600)

    @property
    def silence(self) -> float:
        """Return for how long a sample is shown while nothing newer arrives."""
        return max(_SILENT * self.interval, _LAG)


class Reader:
    """Reads one target. `jobs` returns its tracked jobs, `ready` whether all are known; `open_source` opens a client,
    and `failed` is told each failure."""

    def __init__(
        self,
        name: str,
        settings: ReaderSettings,
        jobs: Callable[[], Iterable[TrainingJob]],
        ready: Callable[[], bool],
        hardware_of: HardwareOf,
        open_source: Callable[[], AbstractAsyncContextManager[MetricSource]],
        readings: Readings,
        view: View,
        failed: Callable[[ApiError], None],
        clock: Clock,
    ) -> None:
        self._name, self._settings, self._jobs, self._ready = name, settings, jobs, ready
        self._hardware_of, self._open, self._readings, self._view = hardware_of, open_source, readings, view
        self._report_failure, self._clock = failed, clock
        self._shown_version: int | None = None
        self._shown: set[str] = set()
        self._warned: set[str] = set()
        self._unknown_types: set[str] = set()
        self._left_out = 0
        self._begin = 0

    async def run(self) -> None:
        """Read until cancelled. Whatever fails is tried again after an interval."""
        while True:
            with self._isolated():
                async with self._open() as source:
                    while True:
                        await self.tick(source)
                        await self._clock.sleep(_TICK if self._ready() else _FIRST_TICK)
            await self._wait()

    async def once(self) -> None:
        """Read once if a read is due. Never raises but when cancelled."""
        with self._isolated():
            async with self._open() as source:
                await self.tick(source)

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """Show that the source is down if the block fails, and raise nothing: the polling of jobs goes on."""
        try:
            yield
        except ApiError as error:
            self._finished([error])
        except Exception:  # noqa: BLE001
            # A bug in this code must not stop the polling of jobs either.
            _log.exception("reading CloudWatch failed unexpectedly", target=self._name)
            self._show_up(up=False)

    async def tick(self, source: MetricSource) -> None:
        """Drop what is too old, show what another reader has read, and read if that is due."""
        if not self._ready():
            return
        self._refresh()
        if self._clock.monotonic() >= self._readings.read + self._settings.interval:
            await self._read(source)

    async def _wait(self) -> None:
        until = self._clock.monotonic() + self._settings.interval
        while (left := until - self._clock.monotonic()) > 0:
            self._refresh()
            await self._clock.sleep(min(left, _TICK))

    def _active(self) -> dict[str, TrainingJob]:
        selects = self._settings.selects
        # The cheap test first: a target may have thousands of jobs that have ended.
        return {job.name: job for job in self._jobs() if is_active(job) and selects(job.name)}

    async def _read(self, source: MetricSource) -> None:
        plans = self._plans()
        # Without a job nothing is requested; the first one is read as soon as it is there.
        if not plans:
            self._nothing_to_read()
            return
        self._readings.read = self._clock.monotonic()
        now = source.now()
        end = math.floor(now / MINUTE) * MINUTE
        start = end - math.ceil((2 * self._settings.interval + _LAG) / MINUTE) * MINUTE
        metrics = [metric for each in plans for metric in each.metrics()]
        batches = deque(metrics[first : first + BATCH] for first in range(0, len(metrics), BATCH))
        batches.rotate(-self._begin)
        answers: dict[Metric, Series] = {}
        errors = []
        for number, batch in enumerate(batches):
            try:
                answers.update(await source.read(batch, start, end))
            except ApiError as error:
                errors.append(error)
                # A denied or throttled call will be so again.
                if not error.isolated:
                    # The next read begins with what this one leaves out, lest the same batches be left out each time;
                    # and with the one that failed, unless nothing was read before it.
                    self._begin = (self._begin + max(number, 1)) % len(batches)
                    break
        self._take(plans, answers, now)
        errors += _errors(answers.values())
        self._finished(errors)

    def _plans(self) -> Sequence[JobPlan]:
        settings = self._settings
        plans = [plan(job, settings.selection, self._hardware_of) for job in self._active().values()]
        for type_ in sorted({type_ for each in plans for type_ in each.unknown} - self._unknown_types):
            self._unknown_types.add(type_)
            _log.warning(
                "unknown hardware; the instance type has no utilization by vCPU or GPU",
                target=self._name,
                instance_type=type_[:100],
            )
        kept, left_out = fitting((each for each in plans if each.size), settings.most)
        if left_out and not self._left_out:
            _log.warning(
                "cloudwatch.max_metrics_per_hour leaves jobs out",
                target=self._name,
                jobs=len(left_out),
                wanted_per_read=sum(each.size for each in (*kept, *left_out)),
                allowed_per_read=settings.most,
            )
        self._left_out = len(left_out)
        return kept

    def _take(self, plans: Iterable[JobPlan], answers: dict[Metric, Series], now: float) -> None:
        """Keep what is new of each job that is still active."""
        at, silence = self._clock.monotonic(), self._settings.silence
        readings, active = self._readings, self._active()
        readings.jobs = {
            name: reading
            for name, reading in readings.jobs.items()
            if name in active and active[name].created == reading.created
        }
        for each in plans:
            job = each.job
            if job.name not in active or active[job.name].created != job.created:
                continue
            reading = readings.jobs.setdefault(job.name, JobReading(job.created))
            found = utilization(each, answers, self._hardware_of)
            if found or not each.kinds:
                reading.utilization = found
            if found:
                reading.utilization_until = at + silence - (now - found.minute - MINUTE)
            _take_algorithm_metrics(reading, each, answers, at + silence)
        readings.expire(at)
        readings.version += 1
        self._show()

    def _refresh(self) -> None:
        """Drop what is too old, and show what has changed since."""
        self._readings.expire(self._clock.monotonic())
        if self._shown_version != self._readings.version:
            self._show()

    def _show(self) -> None:
        """Show the readings of the jobs that are still active, and end the samples of all others."""
        self._shown_version = self._readings.version
        active = self._active()
        now = {
            name: reading
            for name, reading in self._readings.jobs.items()
            if name in active and active[name].created == reading.created
        }
        for name in self._shown - now.keys():
            self._view.job(name, _NO_VALUES)
        for name, reading in now.items():
            self._view.job(name, reading)
        self._shown = set(now)
        self._view.state(self._readings)

    def _nothing_to_read(self) -> None:
        """Forget a failure: what failed is not asked for any more, so nothing could show that it is over."""
        if self._readings.up is False:
            self._warned.clear()
            self._readings.up = None
            self._view.state(self._readings)

    def _finished(self, errors: Sequence[ApiError]) -> None:
        """Show whether a read succeeded. Each code is logged once until a read succeeds."""
        for error in errors:
            self._report_failure(error)
            if error.code not in self._warned:
                _log.warning("CloudWatch cannot be read", target=self._name, **error.fields)
                self._warned.add(error.code)
        if self._warned and not errors:
            _log.info("CloudWatch is read again", target=self._name)
            self._warned.clear()
        self._show_up(up=not errors)

    def _show_up(self, *, up: bool) -> None:
        self._readings.up = up
        self._view.state(self._readings)


def _take_algorithm_metrics(reading: JobReading, plan: JobPlan, answers: Mapping[Metric, Series], until: float) -> None:
    """Keep the values of the wanted metrics. One is shown while CloudWatch answers, even if the job logs it rarely."""
    usable = {name: until for name in plan.names if (found := answers.get(plan.of_job(name))) and found.usable}
    values, times = {**reading.algorithm, **latest(plan, answers)}, {**reading.algorithm_until, **usable}
    kept = [name for name in plan.names if name in values and name in times]
    reading.algorithm = {name: values[name] for name in kept}
    reading.algorithm_until = {name: times[name] for name in kept}


def _errors(found: Iterable[Series]) -> list[ApiError]:
    """Return an error for each status of single metrics that means that they were not read."""
    codes = sorted({series.status for series in found if not series.usable})
    return [ApiError(GET_METRIC_DATA, code[:100], "CloudWatch did not read some of the metrics") for code in codes]
