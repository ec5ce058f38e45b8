"""Serve a board with the exporter's own HTTP server, and time scrapes with a client."""

from __future__ import annotations

import http.client
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from exporter import __version__
from exporter.config import Address
from exporter.exposition.board import Board
from exporter.web import page
from exporter.web.routes import WebOptions
from exporter.web.server import serve

GZIP = {"Accept-Encoding": "gzip"}


class _Shown:
    """An application that has a board and nothing else: no jobs on its page, and no configuration to reload."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        return self._board.metrics(openmetrics, gzip)

    def ready(self) -> tuple[bool, str]:
        return True, "ready"

    def status(self) -> page.Status:
        now = time.time()
        return page.Status(__version__, now, now, ready=True, targets=(), jobs=())

    def job(self, account: str, region: str, name: str) -> page.JobStatus:
        return page.JobStatus(__version__, time.time(), account, region, name, None)

    async def reload(self) -> None:
        """Keep the board as it is."""


def on_free_port(board: Board) -> AbstractAsyncContextManager[tuple[tuple[str, int], ...]]:
    """Serve during the block, and yield the address."""
    return serve(_Shown(board), WebOptions(Address("127.0.0.1", 0)))


def scrape(port: int, gzip: bool) -> tuple[float, int]:
    """Scrape once, and return the seconds until the last byte and the number of bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", "/metrics", headers=GZIP if gzip else {})
    body = connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds, len(body)
