"""Run an event loop in virtual time: time advances only when all tasks are idle, so that hours pass in a moment.

Each run is the same. asyncio's own timeouts, and libraries that ask the loop for the time (aiolimiter), follow the
virtual time. Threads take real time, and virtual time waits for them, unless a `chance` draws how long their work
takes.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
START = 1_700_000_000.0
# The wall clock when a loop begins to run. Its monotonic clock has run for a while, as on a real machine.
BEGIN = START + 1000.0
# The least duration of a turn of the loop, so that code that polls the time makes progress.
_TURN = 1e-6
# How long a thread may take, in real seconds, before it counts as stuck.
_PATIENCE = 60.0
_WORK = (0.0, 0.001, 0.05)


@dataclass(slots=True)
class Time:
    """Hold the virtual time.

    `passed` is in seconds since `start`, AWS's clock in Unix seconds; the machine's is `ahead` of it.
    """

    start: float = START
    passed: float = 0.0
    ahead: float = 0.0

    @property
    def now(self) -> float:
        return self.start + self.passed


def _no_step(busy: bool) -> None:
    """Do nothing before a turn of the loop."""


class _Selector(selectors.DefaultSelector):
    """Advance virtual time instead of waiting, unless a thread is going to wake the loop."""

    def __init__(self, time: Time, step: Callable[[bool], None], patience: float) -> None:
        super().__init__()
        self._time, self._step, self._patience, self.threads = time, step, patience, 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        busy = timeout is not None and timeout <= 0
        self._step(busy)
        events = super().select(0)
        if not events and not busy and (timeout is None or self.threads):
            events = super().select(self._patience)
            assert events, "everybody waits for something that will not happen"
        self._time.passed += max(_TURN, 0.0 if events or timeout is None else timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Run in virtual time, and call `step` before each turn of the loop with whether any task is ready.

    An exception of `step` leaves the loop at once, as a kill does. With a `chance`, a simulated thread does the work
    for threads inside the loop: the same seed gives the same interleaving, down to the statement.
    """

    def __init__(
        self, time: Time | None = None, step: Callable[[bool], None] = _no_step, chance: random.Random | None = None
    ) -> None:
        self.virtual, self._chance, self._thread_free = time or Time(passed=BEGIN - START), chance, 0.0
        # With simulated threads, only the loop itself does work.
        self._waiting = _Selector(self.virtual, step, _PATIENCE if chance is None else 0.0)
        super().__init__(self._waiting)

    def time(self) -> float:
        return self.virtual.passed

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        if self._chance is not None:
            return self._simulate_thread(self._chance, func, args)
        future = super().run_in_executor(executor, func, *args)
        self._waiting.threads += 1
        future.add_done_callback(self._joined)
        return future

    def _joined(self, _: object) -> None:
        self._waiting.threads -= 1

    def _simulate_thread(
        self, chance: random.Random, func: Callable[..., T], args: tuple[Any, ...]
    ) -> asyncio.Future[T]:
        """Do the work once the thread is free. Started work is finished even if its caller was cancelled."""
        future = self.create_future()
        self._thread_free = max(self.time(), self._thread_free) + chance.choice(_WORK)
        self.call_at(self._thread_free, _work, future, func, args, chance.random() < 0.5)
        return future


def _work(future: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...], begun: bool) -> None:
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


def loop_time() -> Time:
    """Return the time of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.virtual


class LoopClock:
    """Implement the clock of a machine on the running loop: a wall clock that can be set, and a monotonic one."""

    def __init__(self, time: Time | None = None) -> None:
        self._time = time or loop_time()

    def time(self) -> float:
        return self._time.now + self._time.ahead

    def monotonic(self) -> float:
        return self._time.passed

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as while the machine is suspended."""
        self._time.passed += seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(scenario: Coroutine[Any, Any, T], time: Time | None = None) -> T:
    """Run the scenario in virtual time, and return its result."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        return runner.run(scenario)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], VirtualLoop]]:
    """Run the async tests of a folder in virtual time, if its conftest imports this hook of pytest-asyncio."""
    return {"virtual": VirtualLoop}


@asynccontextmanager
async def background(work: Coroutine[Any, Any, object], lead: float = 0.0) -> AsyncIterator[None]:
    """Run the work while the block runs, and for `lead` seconds before it. It must not end by itself."""
    task = asyncio.create_task(work)
    try:
        if lead:
            await asyncio.sleep(lead)
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
