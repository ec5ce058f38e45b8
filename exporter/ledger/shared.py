"""Keep totals in a store that replicas share: each has only those of the targets that it holds."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.locks import Held, Replica, SharedStore
from exporter.ledger.store import Snapshot, StoreError, Target
from exporter.training.facts import Facts
from exporter.training.job import Identity

_T = TypeVar("_T")


class Look(NamedTuple):
    """What a look at the locks found: this replica, all live ones, and the clocks right before (monotonic, Unix
    seconds). The session and its locks were intact at a time after `at`."""

    me: Replica
    replicas: Collection[Replica]
    at: tuple[float, float]


class SharedLedger(Ledger):
    """A ledger whose targets are held by one replica at a time.

    `now` returns the monotonic and the Unix time, in any thread.
    """

    def __init__(
        self,
        open_store: Callable[[float], SharedStore],
        now: Callable[[], tuple[float, float]],
        backfill: float = 0.0,
    ) -> None:
        super().__init__(self._opening, lambda: now()[1], backfill)
        self._open_shared, self._now = open_store, now
        self._shared: SharedStore
        # The targets held as the event loop knows it. What comes of others, late, would make each transaction fail.
        self._held = set[Target]()
        # The look that is asked for, to be run in the thread before anything else.
        self._look: Callable[[], None] = _nothing

    async def look(self, group: int) -> Look:
        """Look at the locks as a replica of `group`, and open a new session if the last one was lost. Raises
        StoreError.

        It waits only for what runs, not for what is queued: a replica that looks too late gives all its targets up.
        """
        looked = concurrent.futures.Future[Look]()

        def look() -> None:
            # It is in the queue as well, and runs once.
            if self._look is not look:
                return
            self._look = _nothing
            if not looked.set_running_or_notify_cancel():
                return
            try:
                at = self._now()
                looked.set_result(Look(*self._shared.replicas(group), at))
            except BaseException as error:  # noqa: BLE001
                # Whatever it is: nobody else would end the wait for this look.
                looked.set_exception(error)

        self._look = look
        asyncio.get_running_loop().run_in_executor(self._thread, look)
        return await asyncio.wrap_future(looked)

    async def hold(self, target: Target) -> Held | None:
        """Lock a target and read its totals; return None if another replica holds it. Raises StoreError."""

        def hold() -> tuple[Held | None, Snapshot]:
            held = self._shared.hold(target)
            return held, self._writer.join(held.snapshot) if held else self._writer.committed

        held, self._shown = await self._blocking(hold)
        if held:
            self._held.add(target)
        return held

    async def claim(self, target: Target) -> None:
        """Record that this replica shows a target from now on. Raises StoreError."""
        await self._blocking(lambda: self._shared.claim(target))

    async def release(self, target: Target) -> None:
        """Write what is not written yet, and unlock a target."""
        if any(_target_of(identity) == target for identity in self._pending):
            await self.apply(())
        self._forget_pending([target])

        def release() -> Snapshot:
            self._unlock([target])
            return self._writer.leave([target])

        self._shown = await self._blocking(release)

    async def lose(self) -> None:
        """Drop all targets: this replica cannot know any more whether it holds them."""
        self._shown = Snapshot()
        self._forget_pending(list(self._held))

        def lose() -> Snapshot:
            self._unlock(list(self._shared.held))
            return self._writer.leave({*self._writer.committed.totals, *self._writer.committed.marks})

        self._shown = await self._blocking(lose)

    async def begin(self, target: Target) -> None:
        if target in self._held:
            await super().begin(target)

    async def apply(
        self, readings: Iterable[Reading], discovered: Mapping[Target, float] | None = None
    ) -> Mapping[Identity, Facts]:
        held = [reading for reading in readings if _target_of(reading.identity) in self._held]
        return await super().apply(held, {t: until for t, until in (discovered or {}).items() if t in self._held})

    async def price(self, target: Target) -> None:
        if target in self._held:
            await super().price(target)

    def _forget_pending(self, targets: Collection[Target]) -> None:
        """Drop what is not written of targets: their next holder reads it again."""
        self._held.difference_update(targets)
        self._begun.difference_update(targets)
        for target in targets:
            self._repriced.pop(target, None)
        for identity in [one for one in self._pending if _target_of(one) in targets]:
            del self._pending[identity]

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        def work_after_a_look() -> _T:
            self._look()
            return work()

        return await super()._blocking(work_after_a_look)

    def _unlock(self, targets: Collection[Target]) -> None:
        try:
            for target in targets:
                self._shared.release(target)
        except StoreError:
            # The session is lost, and its locks with it.
            pass

    def _opening(self, now: float) -> SharedStore:
        self._shared = self._open_shared(now)
        return self._shared


def _target_of(identity: Identity) -> Target:
    return identity.account, identity.region


def _nothing() -> None: ...
