"""Provide clocks for the simulator: one that runs faster than real time, and one that a test advances."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time


class ScaledClock:
    """A clock that runs `speed` times as fast as real time. Its wall clock starts at `start` (Unix seconds), by default
    now."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a positive number, not {speed}")
        self.speed = speed
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def time(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


class ManualClock:
    """A clock that moves only when `advance` is called, which also wakes the sleepers that are due."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._wall = start
        self._passed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        """Advance both clocks by this many seconds, and wake the sleepers that are due."""
        self._wall += seconds
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    def set(self, wall: float) -> None:
        """Set the wall clock, as an administrator or NTP does. No time passes, so no sleeper wakes."""
        self._wall = wall

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), sleeper))
        await sleeper
