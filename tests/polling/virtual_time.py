"""An event loop whose time passes only while nobody has anything to do: hours in a moment, the same each run.

asyncio's own timeouts and whatever else asks the loop (aiolimiter) follow it. Threads take real time and hold it up.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
START = 1_700_000_000.0
_PATIENCE, _TURN = 20.0, 1e-6


class _Selector(selectors.DefaultSelector):
    """Lets virtual time pass instead of waiting, unless a thread will wake the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.threads = 1000.0, 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        # Whoever asks again and again whether it is time yet gets there.
        self.now += _TURN
        if events or timeout == 0:
            return events
        if timeout is None or self.threads:
            events = super().select(_PATIENCE)
            assert events, "everybody waits for something that will not happen"
        else:
            self.now += max(0.0, timeout)
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._joined)
        return future

    def _joined(self, _: object) -> None:
        self._virtual.threads -= 1


class LoopClock:
    """The clock of the running loop; its wall clock is `START` ahead."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def time(self) -> float:
        return START + self.monotonic()

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """What the scenario gives, run in virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scenario)
