"""Reads CloudWatch for one target at a fixed interval: what its active jobs' instances and algorithms report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
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
# How often to look whether a read is due, or a value too old; and before that, whether the jobs are known.
_TICK, _FIRST_TICK = 10.0, 1.0
# Values arrive some minutes late. A sample is never dropped for being younger than this.
_LAG = 300.0
# How many intervals a source may be silent before its samples end.
_SILENT = 3


class View(Protocol):
    """Shows what the reader has read."""

    def job(self, name: str, reading: JobReading) -> None: ...

    def state(self, readings: Readings) -> None: ...


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What is read and how often (seconds), and how many metrics may be requested per hour."""

    selection: Selection
    interval: float
    max_metrics_per_hour: int

    @property
    def most(self) -> int:
        """Return how many metrics one read may request."""
        return int(self.max_metrics_per_hour * self.interval / 3600)

    @property
    def silence(self) -> float:
        """Return for how long a sample is shown while nothing newer arrives."""
        return max(_SILENT * self.interval, _LAG)


class Reader:
    """Reads one target. `jobs` returns its tracked jobs that have series of their own, `ready` whether they are known;
    `open_source` opens a client, and `failed` is told each failure."""

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
        self._warned: set[str] = set()
        self._unknown_types: set[str] = set()
        self._left_out = 0

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
        self._expire()
        if not self._ready():
            return
        if self._shown_version != self._readings.version:
            self._show(self._active())
        if self._clock.monotonic() >= self._readings.due:
            await self._read(source)

    async def _wait(self) -> None:
        until = self._clock.monotonic() + self._settings.interval
        while (left := until - self._clock.monotonic()) > 0:
            self._expire()
            await self._clock.sleep(min(left, _TICK))

    def _active(self) -> dict[str, TrainingJob]:
        return {job.name: job for job in self._jobs() if is_active(job)}

    async def _read(self, source: MetricSource) -> None:
        plans = self._plans()
        # Without a job nothing is requested; the first one is read as soon as it is there.
        if not plans:
            return
        self._readings.due = self._clock.monotonic() + self._settings.interval
        now = source.now()
        end = math.floor(now / MINUTE) * MINUTE
        start = end - math.ceil((2 * self._settings.interval + _LAG) / MINUTE) * MINUTE
        metrics = [metric for each in plans for metric in each.metrics()]
        answers: dict[Metric, Series] = {}
        errors = []
        for first in range(0, len(metrics), BATCH):
            try:
                answers.update(await source.read(metrics[first : first + BATCH], start, end))
            except ApiError as error:
                errors.append(error)
                # A denied or throttled call will be so again.
                if not error.isolated:
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
            if found := utilization(each, answers, self._hardware_of):
                reading.utilization = found
                reading.utilization_until = at + silence - (now - found.minute - MINUTE)
            if each.names and all((s := answers.get(each.of_job(name))) and s.usable for name in each.names):
                reading.algorithm_until = at + silence
            if emitted := latest(each, answers):
                reading.algorithm = {**reading.algorithm, **emitted}
        readings.version += 1
        self._show(active)

    def _show(self, active: dict[str, TrainingJob]) -> None:
        """Show the readings of the jobs that are still active."""
        self._shown_version = self._readings.version
        for name, reading in self._readings.jobs.items():
            if name in active and active[name].created == reading.created:
                self._view.job(name, reading)
        self._view.state(self._readings)

    def _expire(self) -> None:
        at = self._clock.monotonic()
        expired = {name: reading for name, reading in self._readings.jobs.items() if reading.expire(at)}
        active = self._active() if expired else {}
        for name, reading in expired.items():
            if name in active:
                self._view.job(name, reading)

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


def _errors(found: Iterable[Series]) -> list[ApiError]:
    """Return an error for each status of single metrics that means that they were not read."""
    codes = sorted({series.status for series in found if not series.usable})
    return [ApiError(GET_METRIC_DATA, code[:100], "CloudWatch did not read some of the metrics") for code in codes]
