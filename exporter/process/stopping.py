"""Handles SIGTERM, SIGINT and SIGHUP in an event loop, and stops tasks."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from exporter.process.signals import STOPPING, Interrupted, raising, remembering

_T = TypeVar("_T")


def run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run `work` in a new event loop, as `asyncio.run` does.

    Raises Interrupted for a SIGTERM or SIGINT that `work` does not handle. A signal while the loop is being set up or
    closed is raised afterwards: otherwise it would leave an unfinished loop, which Python reports on standard error.
    """

    async def main() -> _T:
        with raising():
            return await work()

    with remembering():
        return asyncio.run(main())


@contextmanager
def handled(handlers: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Call these handlers in the running loop during the block; restore the earlier ones afterwards."""
    # Python delivers signals to the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, earlier)


async def until_stopped(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work`, and cancel it at SIGTERM or SIGINT. Raises Interrupted once it has cleaned up."""
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def stop(number: int) -> Callable[[], None]:
        def cancel() -> None:
            received.append(number)
            task.cancel()

        return cancel

    with handled({number: stop(number) for number in STOPPING}):
        await asyncio.wait([task])
    if task.cancelled() and received:
        raise Interrupted(received[0])
    return task.result()


async def stop_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended. Its exception is not raised."""
    task.cancel()
    await asyncio.wait([task])
