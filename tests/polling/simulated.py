"""Run an exporter on the simulated SageMaker in one process, without HTTP, in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import Target
from exporter.polling.health import Health
from exporter.polling.recording import Display
from exporter.simulator import Totals, total
from exporter.training.active import ActiveCounts
from exporter.training.cost import Rates
from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist
from tests.polling.pollers import poller
from tests.sagemaker import TARGET, Region
from tests.virtual_time import BEGIN

START = BEGIN
HOUR, DAY = 3600.0, 86400.0
# In seconds: longer than any work takes in virtual time.
_MOMENT = 0.01


class Shown:
    """Implement a board that records what it shows, and every shown number of unbilled jobs."""

    def __init__(self) -> None:
        self.jobs: dict[str, TrainingJob] = {}
        self.unbilled: list[int | None] = []

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None:
        self.jobs[job.name] = job

    def priced(self, job: TrainingJob, rates: Rates) -> None: ...

    def gone(self, target: Target, name: str) -> None:
        self.jobs.pop(name, None)

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None:
        if not self.unbilled or self.unbilled[-1] != counts.unbilled:
            self.unbilled.append(counts.unbilled)


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold the settings of the exporter; times are in seconds."""

    search: bool = False
    cost_tags: tuple[str, ...] = ()
    backfill: float = 0.0
    lookback: float = 30 * DAY
    resync: float = HOUR
    settle: float = 120.0
    retention: float = HOUR


class Exporter:
    """Represent one life of a process: a poller of the one target, and its ledger."""

    def __init__(self, region: Region, ledger: Ledger, settings: Settings, display: Display) -> None:
        self.ledger, self._clock = ledger, region.clock
        self._polling: asyncio.Task[None] | None = None
        self.poller = poller(
            region,
            ledger,
            rps=math.inf,
            display=display,
            settle=settings.settle,
            retention=settings.retention,
            resync_interval=settings.resync,
            lookback=settings.lookback,
            search=settings.search,
            workers=4,
            allowlist=Allowlist(cost_tags=settings.cost_tags),
        )
        self.tracker, self.health = self.poller.tracker, self.poller.health

    async def live(self, seconds: float, step: float = 15.0) -> None:
        """Poll for this many seconds, on a machine that is suspended except for a moment every `step` seconds."""
        until = self._clock.monotonic() + seconds
        self._polling = self._polling or asyncio.create_task(self.poller.run())
        await asyncio.sleep(_MOMENT)
        while (left := until - self._clock.monotonic()) > _MOMENT:
            self._clock.advance(min(step, left) - _MOMENT)
            await asyncio.sleep(_MOMENT)
            assert not self._polling.done(), "it does not poll any more"

    async def stop(self) -> None:
        """Stop at once, as after a kill or an error."""
        if self._polling:
            self._polling.cancel()
            await asyncio.wait([self._polling])

    def counted(self, family: str) -> dict[tuple[str, ...], float]:
        """Return the values of a counter by its labels and cost tags, without those that are 0."""
        name = f"sagemaker_training_{family}_total"
        return {
            (*map(str, key.labels), *(value for _, value in key.tags)): series.shown[0] / 1000
            for key, series in self.ledger.totals(TARGET).items()
            if key.family == name and series.shown[0]
        }

    def sums(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Return all counters in the form of `due`."""
        return {family: self.counted(family) for family in due(total(()))}


@asynccontextmanager
async def exporter(
    region: Region, path: object = "", settings: Settings | None = None, board: Display | None = None
) -> AsyncIterator[Exporter]:
    """Run a process on this state file; without a path it has no file."""
    settings = settings or Settings()
    async with open_ledger(str(path), region.clock.time, settings.backfill) as ledger:
        one = Exporter(region, ledger, settings, board or Shown())
        try:
            yield one
        finally:
            await one.stop()


def due(truth: Totals) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what the counters must show if nothing is counted by tags, without those that are 0."""
    alone: dict[str, Mapping[tuple[str, ...], int]] = {
        "jobs_created": {(): truth.created},
        "spot_interruptions": {(): truth.interruptions},
        "warm_pool_retained_billable_seconds": {(): truth.retained_seconds},
        "warm_pool_reuses": {(): truth.reuses},
        "instance_seconds": {(*pair,): n for pair, n in truth.instance_seconds.items()},
        "billable_instance_seconds": {(*pair,): n for pair, n in truth.billable_instance_seconds.items()},
    }
    by_label: dict[str, Mapping[str, int]] = {
        "jobs_finished": truth.finished,
        "jobs_failed": truth.failed,
        "jobs_stopped": truth.stopped,
        "seconds": truth.seconds,
        "billable_seconds": truth.billable_seconds,
        "warm_pool_retained_billable_instance_seconds": truth.retained_instance_seconds,
    }
    everything = alone | {family: {(key,): n for key, n in found.items()} for family, found in by_label.items()}
    return {family: {key: float(n) for key, n in found.items() if n} for family, found in everything.items()}
