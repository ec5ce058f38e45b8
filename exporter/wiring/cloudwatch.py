"""Wires CloudWatch together: the configuration, a reader beside each poller, and what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from exporter.aws.client import Client, InFlight
from exporter.aws.cloudwatch import CLOUDWATCH, CloudWatch, cloudwatch_limits
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.clock import Clock
from exporter.cloudwatch import display
from exporter.cloudwatch.api import MetricSource
from exporter.cloudwatch.families import ALGORITHM_METRICS, UTILIZATION_METRICS
from exporter.cloudwatch.planning import HardwareOf, Selection
from exporter.cloudwatch.reader import Reader, ReaderSettings
from exporter.cloudwatch.readings import Readings
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.ledger.store import Target
from exporter.polling.poller import Poller
from exporter.training.job import TrainingJob
from exporter.wiring.targets import TargetSpec


class Watching:
    """Reads CloudWatch for the targets of one application. One that takes over from an `earlier` one, after a reload,
    goes on with what that one has read."""

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        in_flight: InFlight,
        clock: Clock,
        board: Board,
        hardware_of: HardwareOf,
        earlier: Watching | None = None,
    ) -> None:
        self._config, self._sessions, self._in_flight = config, sessions, in_flight
        self._clock, self._board, self._hardware_of = clock, board, hardware_of
        # The same dict: counters of metrics asked for must not start again at a reload.
        self.readings: dict[Target, Readings] = earlier.readings if earlier else {}
        wanted = config.cloudwatch
        self._settings = ReaderSettings(
            _selection(config), wanted.interval, wanted.max_metrics_per_hour, config.jobs.selects
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of utilization that are read."""
        return self._settings.selection.kinds

    @property
    def _on(self) -> bool:
        return self._settings.selection != Selection()

    def ended(self, target: Target, name: str) -> None:
        """End the samples of a job that has ended or is gone."""
        if self._on:
            display.ended(self._board, target, name)

    def forget(self, target: Target) -> None:
        """Remove a target that is not polled under this name any more."""
        display.forget(self._board, target)

    @asynccontextmanager
    async def beside(self, spec: TargetSpec, target: Target, poller: Poller) -> AsyncIterator[None]:
        """Read the jobs of a poller while the block runs."""
        if not self._on:
            yield
            return
        reading = asyncio.create_task(self._reader(spec, target, poller).run())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def once(self, spec: TargetSpec, target: Target, poller: Poller) -> None:
        """Read the jobs of a poller once. What cannot be read spoils nothing."""
        if self._on:
            await self._reader(spec, target, poller).once()

    def _reader(self, spec: TargetSpec, target: Target, poller: Poller) -> Reader:
        readings = self.readings.setdefault(target, Readings(self._clock.time()))
        view = display.TargetDisplay(self._board, target)
        view.state(readings)

        # The tracker changes while a reader waits for AWS, so it is read anew at each turn.
        def jobs() -> Iterable[TrainingJob]:
            return (each.job for each in poller.tracker.jobs())

        def requested(metrics: int) -> None:
            readings.requested += metrics

        @asynccontextmanager
        async def source() -> AsyncIterator[MetricSource]:
            calls, polling = poller.health.calls, self._config.polling
            limiters = RateLimiters(cloudwatch_limits(polling.max_concurrency, polling.timeout), self._clock)
            async with self._sessions.client(CLOUDWATCH, target[1], spec.role, calls) as sdk:
                yield CloudWatch(Client(sdk, calls, limiters, self._in_flight, self._clock), requested)

        return Reader(
            "/".join(target),
            self._settings,
            jobs,
            lambda: poller.first_sync.over,
            self._hardware_of,
            source,
            readings,
            view,
            poller.health.noticed,
            self._clock,
        )


def _selection(config: Config) -> Selection:
    """Return what is read: nothing that would not be shown."""
    jobs, wanted = config.jobs, config.cloudwatch
    if not jobs.per_job_metrics:
        return Selection()
    kinds = (k for k in UTILIZATION_METRICS if k in wanted.utilization)
    shown = tuple(k for k in kinds if not jobs.disables(f"sagemaker_training_job_{k}_utilization_ratio"))
    algorithm = any(not jobs.disables(family.name) for family in ALGORITHM_METRICS.families)
    return Selection(shown, wanted.algorithm_metrics if algorithm else ())
