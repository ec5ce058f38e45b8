"""Run an exporter on the simulated SageMaker in one process, without HTTP, with a clock that tests advance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import Target
from exporter.polling.api import DESCRIBE, LIST, SEARCH, TAGS, Answer, ApiError, Calls, CreatedBetween, JobPage
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from exporter.simulator import Consistency, Life, ManualClock, Totals, total
from exporter.simulator.errors import ApiError as Refused
from exporter.simulator.operations import Context, perform
from exporter.simulator.store import Jobs
from exporter.training.active import ActiveCounts
from exporter.training.cost import Rates
from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist

TARGET = ("123456789012", "us-east-1")
START = 1_700_000_000.0
HOUR, DAY = 3600.0, 86400.0
_PAGE = {"MaxResults": 100, "SortBy": "CreationTime", "SortOrder": "Descending"}


class Clock(ManualClock):
    """Implement a clock that knows how many tasks wait for it."""

    def __init__(self, start: float = START) -> None:
        super().__init__(start)
        self.sleeping = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeping += seconds > 0
        try:
            await super().sleep(seconds)
        finally:
            self.sleeping -= seconds > 0


class World:
    """Implement the Api of one target over lives that behave as in the simulator.

    `calls` counts requests by operation. `strike` is called before each with the operation and the job's name, and may
    raise the ApiError of a failure.
    """

    def __init__(self, *lives: Life, clock: Clock | None = None, consistency: Consistency | None = None) -> None:
        self.clock = clock or Clock()
        self.jobs = Jobs()
        self.jobs.add(*lives)
        self.consistency = consistency or Consistency()
        self.calls: Counter[str] = Counter()
        self.strike: Callable[[str, str], None] = lambda operation, name: None

    def now(self) -> float:
        return self.clock.time()

    def doubts_now(self) -> bool:
        return False

    def truth(self) -> Totals:
        """Return the totals of everything that has happened so far."""
        return total(self.jobs.all(), self.now())

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        bounds = {"CreationTimeAfter": span.after, "CreationTimeBefore": span.before}
        answer = self._perform(LIST, {**_PAGE, **bounds, "NextToken": token})
        return JobPage(answer["TrainingJobSummaries"], answer.get("NextToken"))

    async def search_active(self, token: str | None) -> JobPage:
        return self._search([("TrainingJobStatus", "In", "InProgress,Stopping")], token)

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        bounds = (("GreaterThanOrEqualTo", span.after), ("LessThanOrEqualTo", span.before))
        return self._search([("CreationTime", how, _iso(when)) for how, when in bounds if when is not None], token)

    async def describe(self, name: str) -> Answer | None:
        try:
            return self._perform(DESCRIBE, {"TrainingJobName": name})
        except ApiError as error:
            if isinstance(error.__cause__, Refused) and error.code == self.consistency.missing_code:
                return None
            raise

    async def tags(self, arn: str) -> list[Answer]:
        tags: list[Answer] = self._perform(TAGS, {"ResourceArn": arn})["Tags"]
        return tags

    def _search(self, filters: list[tuple[str, str, str]], token: str | None) -> JobPage:
        named = [{"Name": name, "Operator": operator, "Value": value} for name, operator, value in filters]
        request = {"Resource": "TrainingJob", "SearchExpression": {"Filters": named}, "NextToken": token}
        answer = self._perform(SEARCH, {**_PAGE, **request})
        return JobPage([record["TrainingJob"] for record in answer["Results"]], answer.get("NextToken"))

    def _perform(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.calls[operation] += 1
        self.strike(operation, str(request.get("TrainingJobName", "")))
        asked = {name: value for name, value in request.items() if value is not None}
        try:
            return perform(operation, asked, Context(self.jobs, *TARGET, self.now(), self.consistency))
        except Refused as error:
            raise ApiError(operation, error.code) from error


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


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

    def __init__(self, world: World, ledger: Ledger, settings: Settings, display: Display) -> None:
        self.ledger, self._clock = ledger, world.clock
        self._polling: asyncio.Task[None] | None = None
        self._others: set[asyncio.Task[Any]] = set()
        self.health = Health("/".join(TARGET), Calls(), world.clock.time)
        polling = PollerSettings(
            settle=settings.settle,
            retention=settings.retention,
            resync_interval=settings.resync,
            lookback=settings.lookback,
            search=settings.search,
            workers=4,
            allowlist=Allowlist(cost_tags=settings.cost_tags),
        )
        self.poller = assemble(TARGET, world, polling, ledger, display, self.health, world.clock)
        self.tracker = self.poller.tracker

    async def live(self, seconds: float, step: float = 15.0) -> None:
        """Poll for this many seconds, on a machine that runs the poller every `step` seconds."""
        if self._polling is None:
            self._others = asyncio.all_tasks()
            self._polling = asyncio.create_task(self.poller.run())
            await self._quiet()
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            self._clock.advance(min(step, left))
            await self._quiet()

    async def stop(self) -> None:
        """Stop at once, as after a kill or an error."""
        if self._polling:
            self._polling.cancel()
            await asyncio.wait([self._polling])

    async def _quiet(self) -> None:
        """Wait until all loops of the poller wait for the clock."""
        turns = 0
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
            while (loops := len(asyncio.all_tasks() - self._others) - 1) < 1 or self._clock.sleeping != loops:
                assert loops >= 0, "it does not poll any more"
                # After some turns of the loop what is left is a thread that writes.
                await asyncio.sleep(0.0 if turns < 30 else 0.001)
                turns += 1

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
    world: World, path: object = "", settings: Settings | None = None, board: Display | None = None
) -> AsyncIterator[Exporter]:
    """Run a process on this state file; without a path it has no file."""
    settings = settings or Settings()
    async with open_ledger(str(path), world.clock.time, settings.backfill) as ledger:
        one = Exporter(world, ledger, settings, board or Shown())
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
