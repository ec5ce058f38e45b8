"""Merges concurrent requests to reload: one reload runs at a time, and one more waits for it at most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class StoppedError(Exception):
    """The reloads were stopped, so that a request cannot be served."""


class Reloads:
    """Runs `reload` on request, with a `pause` between two runs.

    Requests during a run share the next one: the file may have changed after the running reload has read it.
    """

    def __init__(self, reload: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[None]]) -> None:
        self._reload, self._pause = reload, pause
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._stopped = False

    async def request(self) -> None:
        """Wait for a reload that begins after this call. Raises what the reload raises, and StoppedError."""
        if self._stopped:
            raise StoppedError
        if self._next is None:
            self._next = asyncio.create_task(self._run_after(self._running))
            self._next.add_done_callback(_retrieve)
        reload = self._next
        # `wait` does not cancel the task when this caller is cancelled: others share it.
        await asyncio.wait([reload])
        if reload.cancelled():
            raise StoppedError
        reload.result()

    async def stop(self) -> None:
        """Cancel the running reload and the waiting one, and reject further requests."""
        self._stopped = True
        tasks = [task for task in (self._next, self._running) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
            await self._pause()
        self._running, self._next = self._next, None
        await self._reload()


def _retrieve(reload: asyncio.Task[None]) -> None:
    """Mark the exception of a reload as retrieved: every caller may have been cancelled."""
    if not reload.cancelled():
        reload.exception()
