"""Hold targets by the locks of a store that replicas share.

Each second a replica looks at the locks: who is alive, and so which targets are its own. It releases the others, and
waits for those that are its own until their holder releases them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from exporter.clock import Clock
from exporter.ledger.locks import Held
from exporter.ledger.shared import Look, SharedLedger
from exporter.ledger.store import StoreError, Target
from exporter.process.logs import Log
from exporter.replicas.assignment import assigned, group_of
from exporter.replicas.leases import Work

_log = Log(__name__)
# All in seconds. How often a replica looks at the locks.
_INTERVAL = 1.0
# How long after its last look a replica may show its targets. The server ends a silent session, and with it the locks,
# only after `exporter.ledger.session.SESSION_TIMEOUT`, which is longer.
_VALID = 5.0
# How long a replica waits before it shows a target whose last holder did not release it, and may still show it.
_GRACE = _VALID + 1.0
# The pause between two targets that are taken: after each a client of the SDK is opened, which blocks the event loop.
# Many at once would delay the looks until all targets are given up.
_STAGGER = 0.05


class SharedLeases:
    """Implements `exporter.replicas.leases.Leases` on a shared ledger. To be created in the event loop; it outlives the
    application."""

    def __init__(self, ledger: SharedLedger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._keys: frozenset[str] = frozenset()
        self._mine: frozenset[str] = frozenset()
        # What the last assignment was computed from; None after a loss.
        self._found: tuple[object, ...] | None = None
        self._looked_at: tuple[float, float] | None = None
        # The blocks that use a target, and the targets that are held: none after a loss, while blocks still end.
        self._users = Counter[Target]()
        self._held, self._elsewhere = set[Target](), set[Target]()
        self._locks = defaultdict[Target, asyncio.Lock](asyncio.Lock)
        self._turn = asyncio.Lock()
        self._changed = asyncio.get_running_loop().create_future()
        self._lost: Callable[[], None] = _ignore
        self._error = ""
        self.replicas = 0

    def on_loss(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def share(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)

    async def run(self) -> None:
        while True:
            try:
                if self._found is None:
                    await self._ledger.lose()
                self._seen(await self._ledger.look(group_of(self._keys)))
            except StoreError as error:
                self._lose(str(error))
            except Exception:  # noqa: BLE001
                # A mistake in this code must not leave targets held that nobody releases.
                _log.exception("looking at the locks failed unexpectedly")
                self._lose("internal error")
            await self._clock.sleep(_INTERVAL)

    async def while_assigned(self, key: str, work: Work) -> None:
        while True:
            while key not in self._mine:
                await asyncio.wait([self._changed])
            working = asyncio.ensure_future(work())
            try:
                while key in self._mine and not working.done():
                    await asyncio.wait([working, self._changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                working.cancel()
                await asyncio.wait([working])
            if not working.cancelled():
                working.result()

    @asynccontextmanager
    async def held(self, target: Target) -> AsyncIterator[None]:
        # After a reload, the blocks of two applications overlap: the last one to end releases the target.
        async with self._locks[target]:
            if not self._users[target]:
                await self._take(target)
            self._users[target] += 1
        try:
            yield
        finally:
            async with self._locks[target]:
                self._users[target] -= 1
                if not self._users[target]:
                    self._held.discard(target)
                    await self._ledger.release(target)

    def holds(self, target: Target) -> bool:
        return target in self._held

    def expects(self, key: str, target: Target) -> bool:
        return self._looked_at is None or (key in self._mine and target not in self._elsewhere)

    def check(self) -> None:
        if self._found is not None and self._looked_at is not None and self._age(self._looked_at) > _VALID:
            self._lose(f"the store did not answer for {_VALID:.0f} seconds, or this process was suspended")

    async def _take(self, target: Target) -> None:
        """Wait until this replica holds a target, and no other one can still show it."""
        try:
            while not (taken := await self._try(target)):
                await self._clock.sleep(_INTERVAL)
            if not taken.released:
                await self._clock.sleep(_GRACE)
        except BaseException:
            await self._ledger.release(target)
            raise
        self._held.add(target)

    async def _try(self, target: Target) -> Held | None:
        try:
            async with self._turn:
                taken = await self._ledger.hold(target)
                if taken:
                    await self._clock.sleep(_STAGGER)
        except StoreError:
            # The next look reports it.
            return None
        if taken is None:
            self._elsewhere.add(target)
        else:
            self._elsewhere.discard(target)
        return taken

    def _seen(self, look: Look) -> None:
        """Assign the targets anew if replicas or targets have changed."""
        self._looked_at, self.replicas = look.at, len(look.replicas)
        if self._error:
            self._error = ""
            _log.info("the shared store works again")
        peers = frozenset(replica.number for replica in look.replicas if replica.group == look.me.group)
        found = (look.me, peers, self._keys)
        if found != self._found:
            self._found = found
            self._assign(assigned(self._keys, peers, look.me.number))
            _log.info("sharing targets", replicas=self.replicas, targets=len(self._mine))

    def _lose(self, why: str) -> None:
        """Give up all targets at once: others may take them, or have taken them."""
        if self._error != why:
            self._error = why
            _log.error("the targets that this replica held are given up", reason=why)
        if self._found is None:
            return
        self._found, self.replicas = None, 0
        self._held.clear()
        self._elsewhere.clear()
        self._assign(frozenset())
        self._lost()

    def _assign(self, mine: frozenset[str]) -> None:
        self._mine = mine
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

    def _age(self, since: tuple[float, float]) -> float:
        """Return the seconds since a time, by the clock that went further: the monotonic one of some systems stops
        while the machine is suspended."""
        return max(self._clock.monotonic() - since[0], self._clock.time() - since[1])


def _ignore() -> None: ...
