"""Wires the parts together: AWS sessions, the ledger, a task per target, and the board that they update."""

from __future__ import annotations

import asyncio
import platform
import random
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from exporter import __version__
from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SAGEMAKER, SageMaker
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
from exporter.process.families import ProcessHealth, show_process
from exporter.process.logs import Log
from exporter.training.cost import no_rate
from exporter.training.families import JobContext
from exporter.wiring.cloudwatch import Watching
from exporter.wiring.polling import job_limits, poller_settings
from exporter.wiring.prices import Pricing
from exporter.wiring.quotas import TargetQuotas
from exporter.wiring.targets import TargetSpec, target_specs

_log = Log(__name__)
# The calls in flight over all targets, in multiples of polling.max_concurrency, so that hundreds of targets do not open
# thousands of connections: to targets that respond, and to those whose last call timed out.
_EVERYONE, _HANGING = 10, 1
# Seconds between the starts of two targets, so that they do not all call STS at once.
_STAGGER = 0.05
# Timeouts of one response that `once` waits for prices at most.
_PRICES_AT_ONCE = 2


@dataclass(slots=True)
class TargetRunner:
    """The state of polling a target. `name` is its account and region, "" while one is unknown. `poller` is None until
    the target was reached. `limiters` outlive the poller, and the application if a reload keeps the target."""

    spec: TargetSpec
    name: Target
    health: Health
    limiters: RateLimiters
    poller: Poller | None = None

    @property
    def complete(self) -> bool:
        """Return whether each of its jobs was read once."""
        return self.poller is not None and self.poller.first_sync.complete

    @property
    def failed(self) -> bool:
        """Return whether it fails, so that it is unknown when its jobs will be read."""
        return self.health.fails(CONNECTION) or (self.poller is not None and self.poller.first_sync.failed)


class App:
    """Polls the targets of a configuration.

    `ledger` is open and outlives the application. After a reload the application continues the counters and limits of
    the `earlier` one.
    """

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
            config, self._sessions, self._in_flight, clock, ledger, self.board, self._targets, self._healths
        )
        watched = earlier.watching if earlier else None
        self.watching: Watching = Watching(
            config, self._sessions, self._in_flight, clock, self.board, self.pricing.hardware, watched
        )
        if earlier is None:
            ledger.rate_of = self.pricing.rate_of
        self.quotas = TargetQuotas(config, self._sessions, self._in_flight, clock, self.board)
        rate_of = self.pricing.rate_of or no_rate
        self.display = BoardDisplay(
            self.board, ledger, config.jobs.selects, keys, by_tags, rate_of, self._seen, self.watching.ended
        )
        before = {runner.spec.key: runner for runner in earlier.runners} if earlier else {}
        self.runners: list[TargetRunner] = [self._runner(spec, before.get(spec.key)) for spec in target_specs(config)]
        for runner in self.runners:
            self.quotas.add(runner.spec, runner.health, earlier.quotas if earlier else None)

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config, clock: Clock) -> AsyncIterator[App]:
        """Yield an application with its own ledger, open during the block. Raises StoreError if it is unusable."""
        async with open_ledger(config.state.path, clock.time, config.totals.backfill) as ledger:
            yield cls(config, clock, ledger)

    async def run(self) -> None:
        """Poll all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pricing.reader.run())
            tasks.create_task(self._price_jobs())
            tasks.create_task(self.quotas.run())
            for number, runner in enumerate(self.runners):
                tasks.create_task(self._keep(runner, number * _STAGGER))

    async def once(self) -> bool:
        """Poll each target once; return whether all succeeded. Prices that cannot be read are no failure."""
        try:
            async with asyncio.timeout(_PRICES_AT_ONCE * self.config.polling.timeout):
                await self.pricing.reader.read()
        except TimeoutError:
            _log.warning("prices were not read in time")
        return all(await asyncio.gather(*(self._once(runner) for runner in self.runners)))

    def waiting(self) -> list[str]:
        """Return the names of the targets that readiness waits for: those with unread jobs, except failing ones."""
        # Once ready, the application stays ready: a target that fails later must not take its pod out of service.
        waiting = [] if self._ready else self.incomplete()
        self._ready = not waiting
        return waiting

    def incomplete(self, even_failed: Collection[str] = ()) -> list[str]:
        """Return the names of the targets with unread jobs. Failing ones are included only if their key is in
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
        """Let the ledger use these prices, also for the jobs that had none, and count unknown statuses from now on: the
        earlier application ends."""
        self.ledger.rate_of = self.pricing.rate_of
        self.pricing.in_force()
        for runner in self.runners:
            runner.health.takes_over()

    async def _keep(self, runner: TargetRunner, delay: float) -> None:
        """Poll a target until cancelled, and restart its poller whenever it fails."""
        await self._clock.sleep(delay)
        while True:
            with self._isolated(runner):
                async with self._connected(runner) as poller, self.watching.beside(runner.spec, runner.name, poller):
                    await poller.run()
            self._clear(runner)
            await self._clock.sleep(self.config.polling.discovery_interval)

    async def _once(self, runner: TargetRunner) -> bool:
        with self._isolated(runner):
            async with self._connected(runner) as poller:
                well, _ = await asyncio.gather(poller.once(), self.quotas.once(runner.spec))
                await self.watching.once(runner.spec, runner.name, poller)
                # The poller has shown its last report before quotas and CloudWatch were read.
                self.display.health(runner.name, runner.health, len(poller.tracker))
                return well
        return False

    @contextmanager
    def _isolated(self, runner: TargetRunner) -> Iterator[None]:
        """Mark a target as down if the block fails, and raise nothing: the other targets go on."""
        try:
            yield
        except ApiError as error:
            self._unreachable(runner, error)
        except Exception:  # noqa: BLE001
            # A bug that affects one target must not stop the others.
            _log.exception("polling failed unexpectedly", target=_said(runner.name))
            self._unreachable(runner, ApiError("poll", "InternalError"))

    def _clear(self, runner: TargetRunner) -> None:
        """Remove the jobs of a poller that has ended: the next one starts with a new tracker."""
        for tracked in runner.poller.tracker.jobs() if runner.poller else ():
            self.display.gone(runner.name, tracked.job.name)

    def _unreachable(self, runner: TargetRunner, error: ApiError) -> None:
        runner.health.failed(CONNECTION, error)
        self.display.health(runner.name, runner.health, 0)

    @asynccontextmanager
    async def _connected(self, runner: TargetRunner) -> AsyncIterator[Poller]:
        spec, calls = runner.spec, runner.health.calls
        try:
            region = spec.region or self._sessions.default_region()
            if region is None:
                raise ApiError(IDENTITY, "NoRegion")
            account = await self._sessions.account(region, spec.role)
            # Only STS knows the exporter's own account, so a duplicate of a target with a role is found only now.
            if runner.name != (account, region) and (account, region) in [other.name for other in self.runners]:
                raise ApiError(IDENTITY, "DuplicateTarget")
        except ApiError as error:
            calls.failed(error.operation, error.code)
            raise
        if runner.name != (account, region):
            self.display.forget(runner.name)
            before, runner.name = runner.name, (account, region)
            self.pricing.display.renamed(before, runner.name)
            self.watching.forget(before)
            runner.health.target = _said(runner.name)
            self.display.health(runner.name, runner.health, 0)
        self.quotas.follow(spec, runner.name)
        # An open client is no success yet: the first response decides whether the target is up.
        async with self._sessions.client(SAGEMAKER, region, spec.role, calls) as sdk:
            api = SageMaker(Client(sdk, calls, runner.limiters, self._in_flight, self._clock))
            runner.poller = self._poller(runner, api)
            yield runner.poller

    def _poller(self, runner: TargetRunner, api: Api) -> Poller:
        settings = poller_settings(self.config)
        return assemble(
            runner.name, api, settings, self.ledger, self.display, runner.health, self._clock, random.random()
        )

    def _seen(self, target: Target, instance_type: str) -> None:
        """Show the price and the quotas of an instance type: a job of the target has it."""
        self.pricing.display.seen(target[1], instance_type)
        self.quotas.display.seen(target, instance_type)

    def _targets(self) -> list[Target]:
        return [runner.name for runner in self.runners]

    def _healths(self, region: str) -> list[Health]:
        """Return the health of each target in a region, of all targets if `region` is ""."""
        return [runner.health for runner in self.runners if region in ("", runner.name[1])]

    def _runner(self, spec: TargetSpec, earlier: TargetRunner | None) -> TargetRunner:
        name = (spec.role.account if spec.role else "", self._region(spec))
        if earlier is None:
            health, limiters = Health(_said(name), Calls(), self._clock.time, self.loaded), None
        else:
            health, limiters = earlier.health.successor(), earlier.limiters
        limits = job_limits(self.config)
        if limiters is None or limiters.limits != limits:
            limiters = RateLimiters(limits, self._clock)
        return TargetRunner(spec, name, health, limiters)

    def _region(self, spec: TargetSpec) -> str:
        """Return the region of a target, "" if it is unknown."""
        try:
            return spec.region or self._sessions.default_region() or ""
        except ApiError:
            # The first poll reports the error.
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


def _said(name: Target) -> str:
    """Return the name of a target in logs and messages, as far as it is known."""
    return "/".join(filter(None, name)) or "own account"
