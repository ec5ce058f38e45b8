"""Suspend and kill one of several processes that run in the same event loop.

Whatever such a process waits for, it goes on only through its gate: never again once it is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from exporter.ledger.shared import SharedLedger
from exporter.ledger.store import StoreError
from tests.ledger.fates import KilledError
from tests.virtual_time import LoopClock

_T = TypeVar("_T")


class Gate:
    """Holds up a process while it is suspended, and for ever once it is `dead`."""

    def __init__(self) -> None:
        self._opened, self._queue = asyncio.Event(), asyncio.Lock()
        self._opened.set()
        self.dead = self._over = False

    @property
    def closed(self) -> bool:
        return not self._opened.is_set()

    def close(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        if not self.dead:
            self._opened.set()

    def kill(self) -> None:
        self.dead = True
        self._opened.clear()

    def bury(self) -> None:
        """Let the tasks of a killed process end, because the event loop does."""
        self._over = True
        self._opened.set()

    async def passed(self) -> None:
        # In the order of arrival, as the threads of a process report to its event loop.
        async with self._queue:
            while self.closed:
                await self._opened.wait()
        if self._over:
            raise asyncio.CancelledError


class GatedClock(LoopClock):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await self._gate.passed()


class GatedClient:
    """Calls AWS for a process."""

    def __init__(self, client: object, gate: Gate) -> None:
        self._client, self._gate = client, gate

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def called(**asked: Any) -> Any:
            try:
                return await call(**asked)
            finally:
                await self._gate.passed()

        return called


class GatedLedger(SharedLedger):
    """Uses the store for a process, whose thread is suspended and killed with it."""

    gate: Gate

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        done: list[_T] = []
        while True:
            await self.gate.passed()
            try:
                await super()._blocking(lambda: self._unless_suspended(work, done))
            except StoreError:
                await self.gate.passed()
                raise
            await self.gate.passed()
            if done:
                return done[0]

    def _unless_suspended(self, work: Callable[[], _T], done: list[_T]) -> None:
        if self.gate.closed:
            return
        try:
            done.append(work())
        except KilledError:
            self.gate.kill()
