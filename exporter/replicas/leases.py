"""Define how targets are held: all by the only process, or each by one of several replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from exporter.ledger.store import Target

Work = Callable[[], Awaitable[None]]


class Leases(Protocol):
    """Decides which targets this process polls. Targets are assigned by their configured keys, and held by their names,
    because the account of a key may be known only later."""

    @property
    def replicas(self) -> int:
        """Return the number of live replicas that this one sees, itself included; 0 while it sees none."""

    async def run(self) -> None:
        """Keep the assignment up to date until cancelled."""

    def share(self, keys: Iterable[str], tags: Iterable[str] = ()) -> None:
        """Share these targets from now on with the other replicas that have the same ones, and whose totals are by the
        same tags."""

    async def while_assigned(self, key: str, work: Work) -> None:
        """Run `work` whenever this replica is to poll a target, and cancel it when it is not; until cancelled."""

    def held(self, target: Target) -> AbstractAsyncContextManager[None]:
        """Wait until this replica holds a target, and hold it during the block. Only within `while_assigned`."""

    def holds(self, target: Target) -> bool:
        """Return whether this replica holds a target, so that it shows and counts it."""

    def expects(self, key: str, target: Target) -> bool:
        """Return whether this replica holds a target or is about to."""

    def check(self) -> None:
        """Give up all targets if they may be held by others meanwhile, as after the process was suspended."""

    def on_loss(self, lost: Callable[[], None]) -> None:
        """Call `lost` when all targets were given up at once. It must not wait."""


class SingleProcess:
    """Implements `Leases` for a process that has its totals for itself: it holds every target, always."""

    replicas = 1

    async def run(self) -> None: ...

    def share(self, keys: Iterable[str], tags: Iterable[str] = ()) -> None: ...

    async def while_assigned(self, key: str, work: Work) -> None:
        await work()

    @asynccontextmanager
    async def held(self, target: Target) -> AsyncIterator[None]:
        yield

    def holds(self, target: Target) -> bool:
        return True

    def expects(self, key: str, target: Target) -> bool:
        return True

    def check(self) -> None: ...

    def on_loss(self, lost: Callable[[], None]) -> None: ...
