"""Measure a process: its memory, and how long its event loop was blocked."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any


class Rounds(selectors.DefaultSelector):
    """Time the rounds of an event loop, from one select() to the next, in which no other task can run.

    Only the CPU time of a round counts, because the machine may also run other processes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._began = time.thread_time()
        self._seconds: list[float] = []

    def select(self, timeout: float | None = None) -> Any:
        self._seconds.append(time.thread_time() - self._began)
        found = super().select(timeout)
        self._began = time.thread_time()
        return found

    def taken(self) -> dict[str, float]:
        """Return the longest round and the 99th percentile since the last call, in seconds."""
        seconds, self._seconds = sorted(self._seconds), []
        return {"max": seconds[-1], "p99": seconds[int(len(seconds) * 0.99)]} if seconds else {"max": 0.0, "p99": 0.0}


def run(main: Coroutine[Any, Any, None], rounds: Rounds) -> None:
    """Run a coroutine as asyncio.run does, on a loop whose rounds are timed."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(rounds)) as runner:
        runner.run(main)


def resident() -> dict[str, float]:
    """Return the resident memory of this process, now and at its peak, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith("Vm"))
    return {name: float(fields[key].split()[0]) * 1024 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}
