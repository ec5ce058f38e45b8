"""Requests to reload, merged: at most one load runs, and at most one waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class StoppedError(Exception):
    """There are no more reloads."""


class Reloads:
    """Runs `reload` for whoever requests it, with a `pause` between two. Requests that come meanwhile share the next
    one: the file may have changed after the one before has read it."""

    def __init__(self, reload: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[None]]) -> None:
        self._reload, self._pause = reload, pause
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._stopped = False

    async def request(self) -> None:
        """Wait for a reload that begins after this call. Raises what it raises, and StoppedError."""
        if self._stopped:
            raise StoppedError
        if self._next is None:
            self._next = asyncio.create_task(self._run_after(self._running))
            self._next.add_done_callback(_retrieve)
        reload = self._next
        # Whoever gives up waiting does not end the reload for the others.
        await asyncio.wait([reload])
        if reload.cancelled():
            raise StoppedError
        reload.result()

    async def stop(self) -> None:
        """End the running reload, and the one that waits."""
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
    """Nobody may be left who waits for what a reload raised."""
    if not reload.cancelled():
        reload.exception()
