"""An event loop in which a process can be killed, and whose time passes only while nobody has anything to do.

What goes to a thread is done here and in its turn: so the same seed gives the same interleaving, to the statement.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
# What a turn of the loop takes at least: without it, who waits for a tiny bit more would wait for ever.
_TURN = 1e-6


class KilledError(BaseException):
    """SIGKILL: nothing in the process gets to see it."""


@dataclass(slots=True)
class Time:
    """`passed` seconds since `start`, which is AWS's clock, Unix seconds; the machine's is `ahead` of it."""

    start: float
    passed: float = 0.0
    ahead: float = 0.0

    @property
    def now(self) -> float:
        return self.start + self.passed


class MachineClock:
    """What the exporter is given: a wall clock that is set now and then, and a monotonic one."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def time(self) -> float:
        return self._time.now + self._time.ahead

    def monotonic(self) -> float:
        return self._time.passed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Selector(selectors.SelectSelector):
    """`step` is told before each turn of the loop whether anybody has something to do."""

    def __init__(self, time: Time, step: Callable[[bool], None]) -> None:
        super().__init__()
        self._time, self._step = time, step

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for something that will not happen"
        self._step(timeout <= 0)
        self._time.passed += max(_TURN, timeout)
        return []


class MortalLoop(asyncio.SelectorEventLoop):
    """`step` may raise KilledError, which leaves the loop at once."""

    def __init__(self, time: Time, step: Callable[[bool], None], chance: random.Random) -> None:
        super().__init__(_Selector(time, step))
        self._virtual, self._chance, self._thread_free = time, chance, 0.0

    def time(self) -> float:
        return self._virtual.passed

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """There is one thread; what was begun is finished, whether or not somebody still waits for it."""
        future = self.create_future()
        self._thread_free = max(self.time(), self._thread_free) + self._chance.choice((0.0, 0.001, 0.05))
        self.call_at(self._thread_free, self._work, future, func, args, self._chance.random() < 0.5)
        return future

    def _work(self, future: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...], begun: bool) -> None:
        if future.cancelled() and not begun:
            return
        try:
            outcome = func(*args)
        except Exception as error:  # noqa: BLE001
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(outcome)
