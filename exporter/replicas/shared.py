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
# How long replicas may have different configurations, as while new ones replace old ones.
_ROLLOUT = 300.0
# The pause between two targets that are taken: after each a client of the SDK is opened, which blocks the event loop.
# Many at once would delay the looks until all targets are given up.
_STAGGER = 0.05


class _Term:
    """The time from one loss of all targets to the next: the blocks that use each target, and what is held."""

    def __init__(self) -> None:
        self.users = Counter[Target]()
        self.held, self.elsewhere = set[Target](), set[Target]()


class SharedLeases:
    """Implements `exporter.replicas.leases.Leases` on a shared ledger. To be created in the event loop; it outlives the
    application."""

    def __init__(self, ledger: SharedLedger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._keys: frozenset[str] = frozenset()
        self._tags: frozenset[str] = frozenset()
        self._mine: frozenset[str] = frozenset()
        # The targets that the last assignment was about.
        self._known: frozenset[str] = frozenset()
        # What the last assignment was computed from; None after a loss.
        self._found: tuple[object, ...] | None = None
        self._looked_at: tuple[float, float] | None = None
        # Blocks of earlier terms may still be ending.
        self._term = _Term()
        self._locks = defaultdict[Target, asyncio.Lock](asyncio.Lock)
        self._turn = asyncio.Lock()
        self._changed = asyncio.get_running_loop().create_future()
        self._lost: Callable[[], None] = _ignore
        self._error = ""
        # Since when replicas of other groups are there.
        self._different_since: tuple[float, float] | None = None
        self._warned = False
        self.replicas = 0

    def on_loss(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def share(self, keys: Iterable[str], tags: Iterable[str] = ()) -> None:
        self._keys, self._tags = frozenset(keys), frozenset(tags)

    async def run(self) -> None:
        while True:
            try:
                await self._look()
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
            term, working = self._term, asyncio.ensure_future(work())
            try:
                while term is self._term and key in self._mine and not working.done():
                    await asyncio.wait([working, self._changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                working.cancel()
                await asyncio.wait([working])
            if not working.cancelled():
                working.result()

    @asynccontextmanager
    async def held(self, target: Target) -> AsyncIterator[None]:
        # After a reload, the blocks of two applications overlap: the last one to end releases the target.
        term = self._term
        async with self._locks[target]:
            if term is self._term and not term.users[target]:
                await self._take(target, term)
            if term is not self._term:
                # All targets were lost meanwhile, and `while_assigned` is about to cancel this block.
                raise asyncio.CancelledError
            term.users[target] += 1
        try:
            yield
        finally:
            async with self._locks[target]:
                term.users[target] -= 1
                if not term.users[target]:
                    term.held.discard(target)
                if not term.users[target] and not self._term.users[target]:
                    await self._ledger.release(target)

    def holds(self, target: Target) -> bool:
        return target in self._term.held

    def expects(self, key: str, target: Target) -> bool:
        if self._looked_at is None or (self._found is not None and key not in self._known):
            # Nobody can tell before the next look.
            return True
        return key in self._mine and target not in self._term.elsewhere

    def check(self) -> None:
        if self._found is not None and self._looked_at is not None and self._age(self._looked_at) > _VALID:
            self._lose(f"the store did not answer for {_VALID:.0f} seconds, or this process was suspended")

    async def _take(self, target: Target, term: _Term) -> None:
        """Wait until this replica holds a target, and no other one can still show it."""
        try:
            while not await self._try(target, term):
                await self._clock.sleep(_INTERVAL)
        except BaseException:
            await self._ledger.release(target)
            raise
        term.held.add(target)

    async def _try(self, target: Target, term: _Term) -> bool:
        try:
            async with self._turn:
                taken = await self._ledger.hold(target)
                if taken:
                    await self._clock.sleep(_STAGGER)
            if taken is None:
                term.elsewhere.add(target)
                return False
            term.elsewhere.discard(target)
            if not taken.released:
                await self._clock.sleep(_GRACE)
            # Not before: whoever takes it from this replica now has to wait for the same holder.
            await self._ledger.claim(target)
        except StoreError as error:
            _log.warning("a target cannot be taken; retrying", target="/".join(target), reason=str(error))
            return False
        return True

    async def _look(self) -> None:
        if self._found is None:
            await self._ledger.lose()
        term = self._term
        look = await self._ledger.look(group_of(self._keys, self._tags))
        # A scrape may have given up all targets meanwhile.
        if term is self._term:
            self._seen(look)

    def _seen(self, look: Look) -> None:
        """Assign the targets anew if replicas or targets have changed."""
        self._looked_at, self.replicas = look.at, len(look.replicas)
        self._compare(look)
        if self._error:
            self._error = ""
            _log.info("the shared store works again")
        peers = frozenset(replica.number for replica in look.replicas if replica.group == look.me.group)
        found = (look.me, peers, self._keys)
        if found != self._found:
            self._found, self._known = found, self._keys
            self._assign(assigned(self._keys, peers, look.me.number))
            _log.info("sharing targets", replicas=self.replicas, targets=len(self._mine))

    def _compare(self, look: Look) -> None:
        """Warn once while replicas of another configuration stay."""
        others = sum(replica.group != look.me.group for replica in look.replicas)
        if not others:
            self._different_since, self._warned = None, False
        elif self._different_since is None:
            self._different_since = look.at
        elif not self._warned and self._age(self._different_since) > _ROLLOUT:
            self._warned = True
            _log.warning(
                "replicas of this database have other targets or another totals.by_tags; configure all of them alike",
                others=others,
            )

    def _lose(self, why: str) -> None:
        """Give up all targets at once: others may take them, or have taken them."""
        if self._error != why:
            self._error = why
            _log.error("the targets that this replica held are given up", reason=why)
        if self._found is None:
            return
        self._found, self.replicas = None, 0
        self._term = _Term()
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
