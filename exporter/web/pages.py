"""Renders status pages in a dedicated thread, one at a time, and caches them for a moment for all clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

# After each rendering the thread pauses for this many times its duration. So pages use a quarter of a core at most,
# whatever clients request: Python runs one thread at a time, and polls and scrapes need the rest.
_REST = 3.0

_Key = tuple[tuple[str, str], ...]


class TooManyPagesError(Exception):
    """More different pages were requested at once than are cached."""


class Pages:
    """Renders and caches pages.

    `make` renders the page for a query. Requests for the same query within `keep` seconds share one page. At most
    `most` different pages are rendered or cached at a time.
    """

    def __init__(self, make: Callable[[Mapping[str, str]], str], *, keep: float, most: int = 16) -> None:
        self._make, self._keep, self._most = make, keep, most
        self._pages: dict[_Key, asyncio.Task[bytes]] = {}
        self._turn = asyncio.Lock()
        self._rested = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page")

    async def get(self, query: Mapping[str, str]) -> bytes:
        """Return the page for a query in UTF-8. Raises TooManyPagesError."""
        key = tuple(sorted(query.items()))
        page = self._pages.get(key)
        if page is None:
            self._make_room()
            page = self._pages[key] = asyncio.create_task(self._render(dict(key)))
            page.add_done_callback(lambda task: self._rendered(key, task))
        # A client that disconnects must not cancel the page for the others.
        return await asyncio.shield(page)

    async def close(self) -> None:
        """Cancel pages that are being rendered."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for page in self._pages.values():
            page.cancel()

    async def _render(self, query: Mapping[str, str]) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._rested - loop.time())
            began = loop.time()
            try:
                return await loop.run_in_executor(self._thread, lambda: self._make(query).encode())
            finally:
                self._rested = loop.time() + _REST * (loop.time() - began)

    def _rendered(self, key: _Key, page: asyncio.Task[bytes]) -> None:
        # Do not cache a failure: the next request tries again.
        if page.cancelled() or page.exception() is not None:
            self._drop(key, page)
        else:
            asyncio.get_running_loop().call_later(self._keep, self._drop, key, page)

    def _drop(self, key: _Key, page: asyncio.Task[bytes]) -> None:
        if self._pages.get(key) is page:
            del self._pages[key]

    def _make_room(self) -> None:
        if len(self._pages) < self._most:
            return
        oldest = next((key for key, page in self._pages.items() if page.done()), None)
        if oldest is None:
            raise TooManyPagesError
        del self._pages[oldest]
