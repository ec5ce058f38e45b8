"""Wires the parts together: AWS sessions, the ledger, a task per target, and the board that they update."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from exporter import __version__
from exporter.aws.client import InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.catalogue import GROUPS
from exporter.clock import Clock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.exposition.family import Family, Group
from exporter.exposition.labels import KeyNames
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import StoreError, Target
from exporter.polling.api import ApiError, Calls
from exporter.polling.display import BoardDisplay
from exporter.polling.health import Health
from exporter.process.families import ProcessHealth, show_process
from exporter.process.logs import Log
from exporter.replicas.families import HeldDisplay
from exporter.replicas.leases import Leases, SingleProcess
from exporter.training.cost import no_rate
from exporter.training.families import JobContext
from exporter.wiring.cloudwatch import Watching
from exporter.wiring.polling import job_limits, poller_settings
from exporter.wiring.prices import Pricing
from exporter.wiring.quotas import TargetQuotas
from exporter.wiring.runner import Parts, TargetRunner, said
from exporter.wiring.state import open_state
from exporter.wiring.targets import TargetSpec, target_specs

_log = Log(__name__)
# The calls in flight over all targets, in multiples of polling.max_concurrency, so that hundreds of targets do not open
# thousands of connections: to targets that respond, and to those whose last call timed out.
_EVERYONE, _HANGING = 10, 1
# Seconds between the starts of two targets, so that they do not all call STS at once.
_STAGGER = 0.05
# In seconds: how long a replica stays unknown to the others until it knows its account, and when STS is asked again.
_ALONE, _AGAIN = 15.0, 10.0
# The targets that `once` polls at a time: each has clients with their connections, and opening them keeps the processor
# so busy that answers seem late.
_TARGETS_AT_ONCE = 20
# Timeouts of one response that `once` waits for prices at most.
_PRICES_AT_ONCE = 2


class App:
    """Polls the targets of a configuration.

    `ledger` is open and outlives the application, as the `leases` do, by which replicas share the targets. After a
    reload the application continues the counters and limits of the `earlier` one.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        ledger: Ledger,
        earlier: App | None = None,
        leases: Leases | None = None,
    ) -> None:
        self.config, self._clock, self.ledger = config, clock, ledger
        self.leases: Leases = earlier.leases if earlier else leases or SingleProcess()
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
            self.board,
            ledger,
            config.jobs.selects,
            keys,
            by_tags,
            rate_of,
            self._seen,
            self.watching.ended,
            self.leases.holds,
        )
        self._held = HeldDisplay(self.board)
        parts = Parts(
            self._sessions,
            self._in_flight,
            clock,
            ledger,
            self.leases,
            self.display,
            self.pricing,
            self.quotas,
            self.watching,
            poller_settings(config),
            config.polling.discovery_interval,
        )
        before = {runner.spec.key: runner for runner in earlier.runners} if earlier else {}
        self.runners: list[TargetRunner] = []
        self.runners += [self._runner(spec, parts, before.get(spec.key)) for spec in target_specs(config)]
        self._named = asyncio.Event()
        for runner in self.runners:
            self.quotas.add(runner.spec, runner.health, earlier.quotas if earlier else None)

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config, clock: Clock) -> AsyncIterator[App]:
        """Yield an application with its own ledger, open during the block. Raises StoreError if it is unusable."""
        if config.state.url:
            raise StoreError(
                "state.url: the replicas hold the targets of this database; leave it out, or scrape a replica"
            )
        async with open_state(config, clock) as ledger:
            yield cls(config, clock, ledger)

    async def run(self) -> None:
        """Poll all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pricing.reader.run())
            tasks.create_task(self._price_jobs())
            tasks.create_task(self.quotas.run())
            tasks.create_task(self._learn_names())
            for number, runner in enumerate(self.runners):
                tasks.create_task(self._start(runner, number * _STAGGER))

    async def named(self) -> None:
        """Wait until the accounts of all targets are known, but not for long: a replica that the others know gets
        targets, and can poll none without its account."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ALONE):
                await self._named.wait()

    async def once(self) -> bool:
        """Poll each target once; return whether all succeeded. Prices that cannot be read are no failure."""
        try:
            async with asyncio.timeout(_PRICES_AT_ONCE * self.config.polling.timeout):
                await self.pricing.reader.read()
        except TimeoutError:
            _log.warning("prices were not read in time")
        turns = asyncio.Semaphore(_TARGETS_AT_ONCE)

        async def polled(runner: TargetRunner) -> bool:
            async with turns:
                return await runner.once()

        return all(await asyncio.gather(*map(polled, self.runners)))

    def waiting(self) -> list[str]:
        """Return the names of the targets that readiness waits for: those with unread jobs, except failing ones."""
        # Once ready, the application stays ready: a target that fails later must not take its pod out of service.
        waiting = [] if self._ready else self.incomplete()
        self._ready = not waiting
        return waiting

    def incomplete(self, even_failed: Collection[str] = ()) -> list[str]:
        """Return the names of the targets with unread jobs. Failing ones are included only if their key is in
        `even_failed`."""
        awaited = (w for w in self.runners if w.expected and not w.complete)
        return [said(w.name) for w in awaited if not w.failed or w.spec.key in even_failed]

    async def _learn_names(self) -> None:
        """Learn the accounts of the targets that other replicas poll: taking one over must not wait for STS."""
        while True:
            unnamed = [each for each in self.runners if not all(each.name) and not self.leases.holds(each.name)]
            if all([await runner.learn_name() for runner in unnamed]):
                break
            await self._clock.sleep(_AGAIN)
        self._named.set()

    async def _price_jobs(self) -> None:
        """Price what had no price so far in a region, whenever new prices come for it."""
        while True:
            regions = await self.pricing.arrived()
            for runner in self.runners:
                if runner.poller is not None and runner.name[1] in regions:
                    await runner.poller.price()

    def take_over(self) -> None:
        """Let the ledger use these prices, also for the jobs that had none, and count unknown statuses from now on: the
        earlier application ends. What its pollers counted last is shown."""
        self.display.refresh()
        self.ledger.rate_of = self.pricing.rate_of
        self.pricing.in_force()
        for runner in self.runners:
            runner.health.takes_over()

    def _seen(self, target: Target, instance_type: str) -> None:
        """Show the price and the quotas of an instance type: a job of the target has it."""
        self.pricing.display.seen(target[1], instance_type)
        self.quotas.display.seen(target, instance_type)

    def _targets(self) -> list[Target]:
        return [runner.name for runner in self.runners if self.leases.holds(runner.name)]

    def _healths(self, region: str) -> list[Health]:
        """Return the health of each target in a region, of all targets if `region` is ""."""
        return [runner.health for runner in self.runners if region in ("", runner.name[1])]

    def _runner(self, spec: TargetSpec, parts: Parts, earlier: TargetRunner | None) -> TargetRunner:
        name = (spec.role.account if spec.role else "", self._region(spec))
        if earlier is None:
            health, limiters = Health(said(name), Calls(), self._clock.time, self.loaded), None
        else:
            health, limiters = earlier.health.successor(), earlier.limiters
        limits = job_limits(self.config)
        if limiters is None or limiters.limits != limits:
            limiters = RateLimiters(limits, self._clock)
        return TargetRunner(spec, name, health, limiters, parts, self.runners)

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

    def share(self, *others: App) -> None:
        """Share the targets of this configuration with the other replicas from now on, and those of `others`."""
        apps = (self, *others)
        self.leases.share(
            (runner.spec.key for app in apps for runner in app.runners),
            (tag for app in apps for tag in app.config.totals.by_tags),
        )

    def hide(self) -> None:
        """Show nothing of any target: other replicas may hold them now."""
        for runner in self.runners:
            runner.hide()

    async def _start(self, runner: TargetRunner, delay: float) -> None:
        await self._clock.sleep(delay)
        await runner.run()

    def _refresh(self) -> None:
        # A replica that never polled its own account does not know it, and could only show a target of nobody.
        known = (runner.name for runner in self.runners if all(runner.name))
        self._held.show({name: self.leases.holds(name) for name in known})
        health = ProcessHealth(
            started=self.started,
            version=__version__,
            python_version=platform.python_version(),
            reload_success=self.reload_ok,
            reloaded=self.loaded,
            state_write_errors=self.ledger.write_errors,
            replicas=self.leases.replicas,
        )
        show_process(self.board, health)
