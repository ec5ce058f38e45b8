"""Runs the poller of each target: resolves its account, holds it, and starts the poller again whenever it fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SAGEMAKER, SageMaker
from exporter.aws.sessions import Sessions
from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.api import IDENTITY, ApiError
from exporter.polling.assembly import assemble
from exporter.polling.display import BoardDisplay
from exporter.polling.health import CONNECTION, Health
from exporter.polling.poller import Poller
from exporter.polling.settings import PollerSettings
from exporter.process.logs import Log
from exporter.replicas.leases import Leases
from exporter.wiring.cloudwatch import Watching
from exporter.wiring.prices import Pricing
from exporter.wiring.quotas import TargetQuotas
from exporter.wiring.targets import TargetSpec

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the runners of an application share. `settings` are those of every poller, and `pause` is the time in
    seconds before a poller that failed is started again."""

    sessions: Sessions
    in_flight: InFlight
    clock: Clock
    ledger: Ledger
    leases: Leases
    display: BoardDisplay
    pricing: Pricing
    quotas: TargetQuotas
    watching: Watching
    settings: PollerSettings
    pause: float


@dataclass(slots=True)
class TargetRunner:
    """Polls one target. `name` is its account and region, "" while one is unknown. `poller` is None until the target
    was reached. `limiters` outlive the poller, and the application if a reload keeps the target.

    `others` are the runners of all targets, this one included.
    """

    spec: TargetSpec
    name: Target
    health: Health
    limiters: RateLimiters
    parts: Parts
    others: Collection[TargetRunner]
    poller: Poller | None = None

    @property
    def expected(self) -> bool:
        """Return whether this process polls the target or is about to."""
        return self.parts.leases.expects(self.spec.key, self.name)

    @property
    def complete(self) -> bool:
        """Return whether each of its jobs was read once."""
        return self.poller is not None and self.poller.first_sync.complete

    @property
    def failed(self) -> bool:
        """Return whether it fails, so that it is unknown when its jobs will be read."""
        return self.health.fails(CONNECTION) or (self.poller is not None and self.poller.first_sync.failed)

    async def learn_name(self) -> bool:
        """Learn the account of the target without polling it; return whether it is known. That it is not is no failure
        of the target: whoever polls it finds the same."""
        try:
            found = await self._found()
        except ApiError:
            return False
        if not self._is_duplicate(found):
            self._rename(found)
        return True

    async def run(self) -> None:
        """Poll the target whenever it is assigned to this process, until cancelled."""
        await self.parts.leases.while_assigned(self.spec.key, self._poll)

    async def once(self) -> bool:
        """Poll the target once; return whether that succeeded."""
        with self._isolated():
            self._rename(await self._resolved())
            async with self._connected() as poller:
                well, _ = await asyncio.gather(poller.once(), self.parts.quotas.once(self.spec))
                await self.parts.watching.once(self.spec, self.name, poller)
                # The poller has shown its last report before quotas and CloudWatch were read.
                self.parts.display.health(self.name, self.health, len(poller.tracker))
                return well
        return False

    def hide(self) -> None:
        """Show nothing of the target any more: another process may show it."""
        self._clear()
        self.poller = None
        self.parts.display.forget(self.name)
        self.parts.quotas.rest(self.spec)
        self.parts.watching.forget(self.name)
        self.parts.pricing.display.forget(self.name)

    async def _poll(self) -> None:
        while True:
            with self._isolated():
                self._rename(await self._resolved())
                async with self.parts.leases.held(self.name):
                    await self._poll_held()
            await self.parts.clock.sleep(self.parts.pause)

    async def _poll_held(self) -> None:
        """Poll the target under its name, and start its poller again whenever it fails, until the name changes."""
        held = self.name
        try:
            while self.name == held:
                with self._isolated():
                    async with (
                        self._connected() as poller,
                        self.parts.watching.beside(self.spec, self.name, poller),
                    ):
                        await poller.run()
                self._clear()
                await self.parts.clock.sleep(self.parts.pause)
                # The credentials may belong to another account by now; the target is then held under that name.
                with self._isolated():
                    self._rename(await self._resolved())
        finally:
            self.hide()

    async def _resolved(self) -> Target:
        """Return the account and the region of the target, and count a failure. Raises ApiError."""
        try:
            found = await self._found()
            if self._is_duplicate(found):
                raise ApiError(IDENTITY, "DuplicateTarget")
        except ApiError as error:
            self.health.calls.failed(error.operation, error.code)
            raise
        return found

    async def _found(self) -> Target:
        region = self.spec.region or self.parts.sessions.default_region()
        if region is None:
            raise ApiError(IDENTITY, "NoRegion")
        return await self.parts.sessions.account(region, self.spec.role), region

    def _is_duplicate(self, found: Target) -> bool:
        """Return whether another target has this name. Only STS knows the exporter's own account, so that a duplicate
        of a target with a role is not found before."""
        return self.name != found and found in [other.name for other in self.others]

    def _rename(self, name: Target) -> None:
        if self.name == name:
            return
        self.parts.display.forget(self.name)
        before, self.name = self.name, name
        self.parts.pricing.display.forget(before)
        self.parts.watching.forget(before)
        self.health.target = said(name)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Poller]:
        parts, (_, region) = self.parts, self.name
        parts.quotas.follow(self.spec, self.name)
        parts.pricing.known(self.name)
        if self.poller is None:
            parts.display.health(self.name, self.health, 0)
        # An open client is no success yet: the first response decides whether the target is up.
        async with parts.sessions.client(SAGEMAKER, region, self.spec.role, self.health.calls) as sdk:
            api = SageMaker(Client(sdk, self.health.calls, self.limiters, parts.in_flight, parts.clock))
            # At random, or else all targets would read their first job at the same moment of each interval.
            self.poller = assemble(
                self.name, api, parts.settings, parts.ledger, parts.display, self.health, parts.clock, random.random()
            )
            yield self.poller

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """Mark the target as down if the block fails, and raise nothing: the other targets go on."""
        try:
            yield
        except ApiError as error:
            self._unreachable(error)
        except Exception:  # noqa: BLE001
            # A bug that affects one target must not stop the others.
            _log.exception("polling failed unexpectedly", target=said(self.name))
            self._unreachable(ApiError("poll", "InternalError"))

    def _unreachable(self, error: ApiError) -> None:
        self.health.failed(CONNECTION, error)
        self.parts.display.health(self.name, self.health, 0)

    def _clear(self) -> None:
        """Remove the jobs of a poller that has ended: the next one starts with a new tracker."""
        for tracked in self.poller.tracker.jobs() if self.poller else ():
            self.parts.display.gone(self.name, tracked.job.name)


def said(name: Target) -> str:
    """Return the name of a target in logs and messages, as far as it is known."""
    return "/".join(filter(None, name)) or "own account"
