"""Controls when the garbage collector traverses long-lived objects.

By default it traverses all of them every few seconds and finds nothing: with 10,000 jobs that blocks the event loop for
70 ms each time.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable

from exporter.clock import Clock

_EVERY = 1.0
# Counting the frozen objects takes milliseconds, so it is done once per this many intervals.
_COUNT_EVERY = 60
# Bytes by which memory may grow before a full collection: the growth may be cycles that became garbage once frozen.
_GROWTH = 32 << 20


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system has no /proc."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def trim() -> None:
    """Return freed memory to the system, if the C library supports it."""
    # glibc keeps freed memory, which `resident_bytes` would take for memory in use.
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


class Garbage:
    """Freezes living objects (`gc.freeze`), so that each collection traverses only those created since the last one.

    Cycles among frozen objects are found only by a full collection. It runs when there are twice as many objects, or 32
    MiB more memory in use, than after the last one.
    """

    def __init__(self, resident: Callable[[], int] = resident_bytes) -> None:
        self._resident = resident
        self._found = self._size = 0

    async def set_aside_for_ever(self, clock: Clock) -> None:
        """Collect and freeze once a second until cancelled."""
        self.collect()
        while True:
            for _ in range(_COUNT_EVERY):
                await clock.sleep(_EVERY)
                self.set_aside()
            self.collect_if_doubled()

    def set_aside(self) -> None:
        """Collect garbage among the objects created since the last call, and freeze the rest."""
        gc.collect()
        gc.freeze()
        if self._resident() > self._size + _GROWTH:
            self.collect()

    def collect_if_doubled(self) -> None:
        """Run a full collection only when the number of frozen objects has doubled since the last one."""
        if gc.get_freeze_count() > 2 * self._found:
            self.collect()

    def collect(self) -> None:
        """Run a full collection, and freeze the objects that remain. Blocks for tens of milliseconds with many jobs."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        trim()
        self._found, self._size = gc.get_freeze_count(), self._resident()
