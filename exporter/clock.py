"""The interface of clocks, so that tests and the simulator can replace the system's."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """A clock, which is passed to every part that waits or reads the time."""

    # Two times, because the wall clock may be set at any moment: intervals are measured with the monotonic one.
    def time(self) -> float:
        """Return the wall-clock time in Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences are meaningful."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for a number of seconds of this clock."""
        ...


class SystemClock:
    """The clock of the machine."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
