"""Wires the parts together: sessions, ledger, one task for each target, and the board they fill."""

from __future__ import annotations

import asyncio
import platform
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from exporter import __version__
from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sagemaker import SAGEMAKER, SageMaker, rate_limits
from exporter.aws.sessions import Sessions
from exporter.catalogue import GROUPS
from exporter.clock import Clock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.exposition.family import Family, Group
from exporter.exposition.labels import KeyNames
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import Target
from exporter.polling.api import IDENTITY, Api, ApiError, Calls
from exporter.polling.assembly import assemble
from exporter.polling.display import BoardDisplay
from exporter.polling.health import CONNECTION, Health
from exporter.polling.poller import Poller
from exporter.polling.settings import PollerSettings
from exporter.pricing import Pricing
from exporter.process.families import ProcessHealth, show_process
from exporter.process.logs import Log
from exporter.targets import TargetSpec, target_specs
from exporter.training.cost import no_rate
from exporter.training.families import JobContext
from exporter.training.parsing import Allowlist

_log = Log(__name__)
# How many targets may send as much as they may at a time, so that hundreds do not open thousands of connections; and
# of those that hang how many may wait for an answer.
_EVERYONE, _HANGING = 10, 1
_STAGGER = 0.05
# How long `once` waits for prices at most, in timeouts of one answer.
_PRICES_AT_ONCE = 2


@dataclass(slots=True)
class TargetRunner:
    """A target being polled, or not reached yet. `name` is its account and region as far as they are known; `limiters`
    outlive the poller, and the application where a reload keeps the target."""

    spec: TargetSpec
    name: Target
    health: Health
    limiters: RateLimiters
    poller: Poller | None = None

    @property
    def complete(self) -> bool:
        """Whether all its jobs were read once."""
        return self.poller is not None and self.poller.first_sync.complete

    @property
    def failed(self) -> bool:
        """Whether it fails, so that nobody knows when its jobs will have been read."""
        return self.health.fails(CONNECTION) or (self.poller is not None and self.poller.first_sync.failed)


class App:
    """Polls the targets of a configuration. The ledger is open, and outlives the application. One that takes over from
    an `earlier` one, after a reload, goes on with what that one has counted."""

    def __init__(self, config: Config, clock: Clock, ledger: Ledger, earlier: App | None = None) -> None:
        self.config, self._clock, self.ledger = config, clock, ledger
        self._sessions = Sessions(config.polling.timeout, config.polling.max_concurrency)
        self.loaded, self.reload_ok = clock.time(), True
        self.started: float = earlier.started if earlier else self.loaded
        self._ready = earlier is not None and not earlier.waiting()
        self.board = Board(GROUPS, self._shows, self._refresh)
        keys = JobContext(KeyNames.of(config.jobs.tags), KeyNames.of(config.jobs.hyperparameters))
        by_tags = KeyNames.of(config.totals.by_tags)
        at_a_time = config.polling.max_concurrency
        self._in_flight = InFlight(_EVERYONE * at_a_time, _HANGING * at_a_time)
        self.pricing = Pricing(
            config, self._sessions, self._in_flight, clock, ledger, self.board, self._targets, self._calls_of
        )
        if earlier is None:
            ledger.rate_of = self.pricing.rate_of
        seen, rate_of = self.pricing.display.seen, self.pricing.rate_of or no_rate
        self._display = BoardDisplay(self.board, ledger, config.jobs.selects, keys, by_tags, rate_of, seen)
        before = {runner.spec.key: runner for runner in earlier.runners} if earlier else {}
        self.runners: list[TargetRunner] = [self._runner(spec, before.get(spec.key)) for spec in target_specs(config)]

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config, clock: Clock) -> AsyncIterator[App]:
        """With a ledger of its own, open while the block runs. Raises StoreError where its file cannot be used."""
        async with open_ledger(config.state.path, clock.time, config.totals.backfill) as ledger:
            yield cls(config, clock, ledger)

    async def run(self) -> None:
        """Poll all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pricing.reader.run())
            tasks.create_task(self._price_jobs())
            for number, runner in enumerate(self.runners):
                tasks.create_task(self._keep(runner, number * _STAGGER))

    async def once(self) -> bool:
        """Poll each target once, and say whether all went well. Prices that cannot be read spoil nothing."""
        try:
            async with asyncio.timeout(_PRICES_AT_ONCE * self.config.polling.timeout):
                await self.pricing.reader.read()
        except TimeoutError:
            _log.warning("prices were not read in time")
        return all(await asyncio.gather(*(self._once(runner) for runner in self.runners)))

    def waiting(self) -> list[str]:
        """The targets whose jobs were not all read once yet, but for those that fail. When there are none, there never
        are again."""
        waiting = [] if self._ready else self.incomplete()
        self._ready = not waiting
        return waiting

    def incomplete(self, even_failed: Collection[str] = ()) -> list[str]:
        """The targets whose jobs were not all read once yet. Those that fail are among them only where their key is in
        `even_failed`."""
        missing = (w for w in self.runners if not w.complete and (not w.failed or w.spec.key in even_failed))
        return [_said(w.name) for w in missing]

    async def _price_jobs(self) -> None:
        """Price what had no price so far, whenever new prices come."""
        while True:
            await self.pricing.arrived()
            for runner in self.runners:
                if runner.poller is not None:
                    await runner.poller.price()

    def take_over(self) -> None:
        """Count alone from now on: the earlier application ends."""
        self.ledger.rate_of = self.pricing.rate_of
        for runner in self.runners:
            runner.health.takes_over()

    async def _keep(self, runner: TargetRunner, delay: float) -> None:
        await self._clock.sleep(delay)
        while True:
            try:
                async with self._connected(runner) as poller:
                    await poller.run()
            except ApiError as error:
                self._unreachable(runner, error)
            except Exception:  # noqa: BLE001
                # A mistake of ours in one target must not hide the others.
                _log.exception("polling failed unexpectedly; restarting", target=_said(runner.name))
                self._unreachable(runner, ApiError("poll", "InternalError"))
            self._clear(runner)
            await self._clock.sleep(self.config.polling.discovery_interval)

    async def _once(self, runner: TargetRunner) -> bool:
        try:
            async with self._connected(runner) as poller:
                return await poller.once()
        except ApiError as error:
            self._unreachable(runner, error)
            return False

    def _clear(self, runner: TargetRunner) -> None:
        """What a poller that ended was following is found anew by the next."""
        for tracked in runner.poller.tracker.jobs() if runner.poller else ():
            self._display.gone(runner.name, tracked.job.name)

    def _unreachable(self, runner: TargetRunner, error: ApiError) -> None:
        runner.health.failed(CONNECTION, error)
        self._display.health(runner.name, runner.health, 0)

    @asynccontextmanager
    async def _connected(self, runner: TargetRunner) -> AsyncIterator[Poller]:
        spec, calls = runner.spec, runner.health.calls
        try:
            region = spec.region or self._sessions.default_region()
            if region is None:
                raise ApiError(IDENTITY, "NoRegion")
            account = await self._sessions.account(region, spec.role)
            # Only STS knows whose the environment's credentials are: perhaps a role of the same account is polled too.
            if runner.name != (account, region) and (account, region) in [other.name for other in self.runners]:
                raise ApiError(IDENTITY, "DuplicateTarget")
        except ApiError as error:
            calls.failed(error.operation, error.code)
            raise
        if runner.name != (account, region):
            self._display.forget(runner.name)
            before, runner.name = runner.name, (account, region)
            self.pricing.display.renamed(before, runner.name)
            runner.health.target = _said(runner.name)
            self._display.health(runner.name, runner.health, 0)
        # A client is not an answer yet: the first one says whether the target is up.
        async with self._sessions.client(SAGEMAKER, region, spec.role, calls) as sdk:
            api = SageMaker(Client(sdk, calls, runner.limiters, self._in_flight, self._clock))
            runner.poller = self._poller(runner, api)
            yield runner.poller

    def _poller(self, runner: TargetRunner, api: Api) -> Poller:
        settings = poller_settings(self.config)
        return assemble(
            runner.name, api, settings, self.ledger, self._display, runner.health, self._clock, random.random()
        )

    def _targets(self) -> list[Target]:
        return [runner.name for runner in self.runners]

    def _calls_of(self, region: str) -> Calls:
        """Return where requests are counted that are for all targets of a region: with the first of them."""
        return next(runner.health.calls for runner in self.runners if runner.name[1] == region)

    def _limits(self) -> RateLimits:
        polling = self.config.polling
        return rate_limits(
            polling.list_rps, polling.describe_rps, polling.search_rps, polling.max_concurrency, polling.timeout
        )

    def _runner(self, spec: TargetSpec, earlier: TargetRunner | None) -> TargetRunner:
        name = (spec.role.account if spec.role else "", self._region(spec))
        if earlier is None:
            health, limiters = Health(_said(name), Calls(), self._clock.time, self.loaded), None
        else:
            health, limiters = earlier.health.successor(), earlier.limiters
        if limiters is None or limiters.limits != self._limits():
            limiters = RateLimiters(self._limits(), self._clock)
        return TargetRunner(spec, name, health, limiters)

    def _region(self, spec: TargetSpec) -> str:
        """The region as far as it is known before anybody is asked."""
        try:
            return spec.region or self._sessions.default_region() or ""
        except ApiError:
            # The first poll says what is wrong.
            return ""

    def _shows(self, group: Group[Any], family: Family[Any]) -> bool:
        jobs = self.config.jobs
        return not jobs.disables(family.name) and (jobs.per_job_metrics or not group.per_job)

    def _refresh(self) -> None:
        health = ProcessHealth(
            started=self.started,
            version=__version__,
            python_version=platform.python_version(),
            reload_success=self.reload_ok,
            reloaded=self.loaded,
            state_write_errors=self.ledger.write_errors,
        )
        show_process(self.board, health)


def poller_settings(config: Config) -> PollerSettings:
    """How the configuration wants each target to be polled."""
    polling = config.polling
    return PollerSettings(
        discovery_interval=polling.discovery_interval,
        active_interval=polling.active_interval,
        settle=polling.settle,
        retention=config.jobs.retention,
        resync_interval=polling.resync_interval,
        lookback=polling.lookback,
        search=polling.strategy == "search",
        workers=polling.max_concurrency,
        allowlist=allowlist(config),
    )


def allowlist(config: Config) -> Allowlist:
    """What the configuration lets out of the parts of an answer that can hold secrets."""
    jobs = config.jobs
    return Allowlist(
        frozenset(jobs.tags), frozenset(jobs.hyperparameters), config.totals.by_tags, jobs.failure_reason_length
    )


def _said(name: Target) -> str:
    """A target's name for people, as far as it is known."""
    return "/".join(filter(None, name)) or "own account"
