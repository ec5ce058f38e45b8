"""Renders pages in a dedicated thread, one at a time, and caches them for a moment for all clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

# After each rendering the thread pauses for this many times its duration. So pages use a quarter of a core at most,
# whatever clients request: Python runs one thread at a time, and polls and scrapes need the rest.
_REST = 3.0

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class TooManyPagesError(Exception):
    """More different pages were requested at once than are cached."""


class Pages(Generic[K, T]):
    """Renders and caches pages.

    `make` renders the page that is asked for. Equal requests within `keep` seconds share one page. At most `most`
    different pages are rendered or cached at a time.
    """

    def __init__(self, make: Callable[[K], T], *, keep: float, most: int = 16) -> None:
        self._make, self._keep, self._most = make, keep, most
        self._pages: dict[K, asyncio.Task[T]] = {}
        self._turn = asyncio.Lock()
        self._rested = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")

    async def get(self, asked: K) -> T:
        """Return the page that is asked for. Raises TooManyPagesError."""
        page = self._pages.get(asked)
        if page is None:
            self._make_room()
            page = self._pages[asked] = asyncio.create_task(self._render(asked))
            page.add_done_callback(lambda task: self._rendered(asked, task))
        # A client that disconnects must not cancel the page for the others.
        return await asyncio.shield(page)

    async def close(self) -> None:
        """Cancel pages that are being rendered."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for page in self._pages.values():
            page.cancel()

    async def _render(self, asked: K) -> T:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._rested - loop.time())
            began = loop.time()
            try:
                return await loop.run_in_executor(self._thread, self._make, asked)
            finally:
                self._rested = loop.time() + _REST * (loop.time() - began)

    def _rendered(self, asked: K, page: asyncio.Task[T]) -> None:
        # Do not cache a failure: the next request tries again.
        if page.cancelled() or page.exception() is not None:
            self._drop(asked, page)
        else:
            asyncio.get_running_loop().call_later(self._keep, self._drop, asked, page)

    def _drop(self, asked: K, page: asyncio.Task[T]) -> None:
        if self._pages.get(asked) is page:
            del self._pages[asked]

    def _make_room(self) -> None:
        if len(self._pages) < self._most:
            return
        oldest = next((asked for asked, page in self._pages.items() if page.done()), None)
        if oldest is None:
            raise TooManyPagesError
        del self._pages[oldest]
