"""Wires the parts together: sessions, ledger, one task for each target, and the board they fill."""

from __future__ import annotations

import asyncio
import logging
import platform
import random
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from exporter import __version__
from exporter.aws.sagemaker import Limits, Paces, SageMaker
from exporter.aws.sessions import Role, Sessions
from exporter.clock import Clock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.exposition.labels import ConfiguredKeys
from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import Target
from exporter.polling.api import IDENTITY, Api, ApiError, Calls
from exporter.polling.health import CONNECTION, Health
from exporter.polling.intake import Reader
from exporter.polling.poller import Poller, Schedule
from exporter.polling.tracker import Fleet, Pace
from exporter.selfmetrics import ProcessHealth
from exporter.training.parsing import Allowlist

_log = logging.getLogger(__name__)
# How many targets may send as much as they may at a time, so that hundreds do not open thousands of connections; and
# of those that hang how many may wait for an answer.
_EVERYONE, _HANGING = 10, 1
_STAGGER = 0.05


@dataclass(frozen=True, slots=True)
class Spot:
    """A target as the configuration names it; the region is None for the SDK's default."""

    region: str | None
    role: Role | None

    @property
    def key(self) -> str:
        """Account and region as they are written; no two targets have the same."""
        return f"{self.role.account if self.role else ''}/{self.region or ''}"


@dataclass(slots=True)
class Watch:
    """A target being polled, or not reached yet. `name` is its account and region as far as they are known; `paces`
    outlive the poller, and the application where a reload keeps the target."""

    spot: Spot
    name: Target
    health: Health
    paces: Paces
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
        keys = ConfiguredKeys(config.jobs.tags, config.jobs.hyperparameters, config.totals.by_tags)
        self.board = Board(ledger, self._shows, config.jobs.selects, self._process, self.started, keys)
        self._everyone = asyncio.Semaphore(_EVERYONE * config.polling.max_concurrency)
        self._hanging = asyncio.Semaphore(_HANGING * config.polling.max_concurrency)
        before = {watch.spot.key: watch for watch in earlier.watches} if earlier else {}
        self.watches: list[Watch] = [self._watch(spot, before.get(spot.key)) for spot in spots(config)]

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Config, clock: Clock) -> AsyncIterator[App]:
        """With a ledger of its own, open while the block runs. Raises StateError where its file cannot be used."""
        async with Ledger(config.state.path, clock.time, config.totals.backfill) as ledger:
            yield cls(config, clock, ledger)

    async def run(self) -> None:
        """Poll all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number, watch in enumerate(self.watches):
                tasks.create_task(self._keep(watch, number * _STAGGER))

    async def once(self) -> bool:
        """Poll each target once; says whether all went well."""
        return all(await asyncio.gather(*(self._once(watch) for watch in self.watches)))

    def waiting(self) -> list[str]:
        """The targets whose jobs were not all read once yet, but for those that fail. When there are none, there never
        are again."""
        waiting = [] if self._ready else self.incomplete()
        self._ready = not waiting
        return waiting

    def incomplete(self, even_failed: Collection[str] = ()) -> list[str]:
        """The targets whose jobs were not all read once yet. Those that fail are among them only where their key is in
        `even_failed`."""
        missing = (w for w in self.watches if not w.complete and (not w.failed or w.spot.key in even_failed))
        return [_said(w.name) for w in missing]

    def take_over(self) -> None:
        """Count alone from now on: the earlier application ends."""
        for watch in self.watches:
            watch.health.takes_over()

    async def _keep(self, watch: Watch, delay: float) -> None:
        await self._clock.sleep(delay)
        while True:
            try:
                async with self._connected(watch) as poller:
                    await poller.run()
            except ApiError as error:
                self._unreachable(watch, error)
            except Exception:  # noqa: BLE001
                # A mistake of ours in one target must not hide the others.
                _log.exception("%s: polling broke off, and begins anew", "/".join(watch.name))
                self._unreachable(watch, ApiError("poll", "InternalError"))
            self._clear(watch)
            await self._clock.sleep(self.config.polling.discovery_interval)

    async def _once(self, watch: Watch) -> bool:
        try:
            async with self._connected(watch) as poller:
                return await poller.once()
        except ApiError as error:
            self._unreachable(watch, error)
            return False

    def _clear(self, watch: Watch) -> None:
        """What a poller that ended was following is found anew by the next."""
        for followed in watch.poller.fleet.followed() if watch.poller else ():
            self.board.gone(watch.name, followed.job.name)

    def _unreachable(self, watch: Watch, error: ApiError) -> None:
        watch.health.failed(CONNECTION, error)
        self.board.health(watch.name, watch.health, 0)

    @asynccontextmanager
    async def _connected(self, watch: Watch) -> AsyncIterator[Poller]:
        spot, calls = watch.spot, watch.health.calls
        try:
            region = spot.region or self._sessions.default_region()
            if region is None:
                raise ApiError(IDENTITY, "NoRegion")
            account = await self._sessions.account(region, spot.role)
            # Only STS knows whose the environment's credentials are: perhaps a role of the same account is polled too.
            if watch.name != (account, region) and (account, region) in [other.name for other in self.watches]:
                raise ApiError(IDENTITY, "DuplicateTarget")
        except ApiError as error:
            calls.failed(error.operation, error.code)
            raise
        if watch.name != (account, region):
            self.board.forget(watch.name)
            watch.name = (account, region)
            self.board.health(watch.name, watch.health, 0)
        # A client is not an answer yet: the first one says whether the target is up.
        async with self._sessions.client(region, spot.role, calls) as client:
            api = SageMaker(client, calls, watch.paces.limits, self._clock, self._everyone, self._hanging, watch.paces)
            watch.poller = self._poller(watch, api)
            yield watch.poller

    def _poller(self, watch: Watch, api: Api) -> Poller:
        polling, jobs = self.config.polling, self.config.jobs
        pace = Pace(polling.active_interval, polling.settle, jobs.retention, polling.resync_interval)
        fleet = Fleet(pace, random.random())
        account, region = watch.name
        return Poller(
            watch.name,
            api,
            Schedule(
                polling.discovery_interval,
                polling.active_interval,
                polling.resync_interval,
                polling.lookback,
                polling.strategy == "search",
                polling.max_concurrency,
            ),
            fleet,
            Reader(account, region, allowlist(self.config), fleet, watch.health),
            self.ledger,
            self.board,
            watch.health,
            self._clock,
        )

    def _limits(self) -> Limits:
        polling = self.config.polling
        return Limits(
            polling.list_rps, polling.describe_rps, polling.search_rps, polling.max_concurrency, polling.timeout
        )

    def _watch(self, spot: Spot, earlier: Watch | None) -> Watch:
        name = (spot.role.account if spot.role else "", self._region(spot))
        if earlier is None:
            health, paces = Health(_said(name), Calls(), self._clock.time, self.loaded), None
        else:
            health, paces = earlier.health.successor(), earlier.paces
        if paces is None or paces.limits != self._limits():
            paces = Paces(self._limits(), self._clock)
        return Watch(spot, name, health, paces)

    def _region(self, spot: Spot) -> str:
        """The region as far as it is known before anybody is asked."""
        try:
            return spot.region or self._sessions.default_region() or ""
        except ApiError:
            # The first poll says what is wrong.
            return ""

    def _shows(self, family: str) -> bool:
        jobs = self.config.jobs
        per_job = family.startswith("sagemaker_training_job_") and not family.startswith(
            "sagemaker_training_job_duration_seconds"
        )
        return not jobs.disables(family) and (jobs.per_job_metrics or not per_job)

    def _process(self, series: Mapping[str, int]) -> ProcessHealth:
        return ProcessHealth(
            version=__version__,
            python_version=platform.python_version(),
            reload_success=self.reload_ok,
            reloaded=self.loaded,
            state_write_errors=self.ledger.write_errors,
            series=series,
        )


def allowlist(config: Config) -> Allowlist:
    """What the configuration lets out of the parts of an answer that can hold secrets."""
    jobs = config.jobs
    return Allowlist(
        frozenset(jobs.tags), frozenset(jobs.hyperparameters), config.totals.by_tags, jobs.failure_reason_length
    )


def spots(config: Config) -> list[Spot]:
    """The targets that are this shard's: every account and region belongs to one shard, by a stable hash."""
    found = []
    for target in config.targets:
        secret = target.external_id.get_secret_value() if target.external_id else None
        role = Role(target.role_arn, secret, target.session_name) if target.role_arn else None
        found += [Spot(region, role) for region in target.regions or (None,)]
    return list(_of_shard(found, config.sharding.index, config.sharding.total))


def _of_shard(found: Iterable[Spot], index: int, total: int) -> Iterable[Spot]:
    for spot in found:
        if int.from_bytes(sha256(spot.key.encode()).digest()[:8], "big") % total == index:
            yield spot


def _said(name: Target) -> str:
    """A target's name for people, as far as it is known."""
    return "/".join(filter(None, name)) or "own account"
