"""Provide an application for the server to serve, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from gzip import compress as gzip_member

from exporter.config import Address
from exporter.web import page
from exporter.web.routes import ConnectionLimits, WebOptions
from exporter.web.security import WebSecurity
from exporter.web.server import serve

NOW = 1_795_500_000.0
LOCAL = WebOptions(Address("127.0.0.1", 0), lifecycle=True)
QUICK = ConnectionLimits(header_timeout=0.3, write_timeout=0.3, idle_timeout=0.6)


def status(*jobs: page.ShownJob, targets: tuple[page.TargetRow, ...] = ()) -> page.Status:
    return page.Status("1.2.3", NOW - 3700, NOW, True, targets, jobs)


@dataclass
class FakeExporter:
    """Respond with `chunks`. An exception among them is raised, a future is awaited."""

    chunks: Sequence[bytes | Exception | asyncio.Future[bytes]] = (b"up 1\n",)
    is_ready: bool = True
    shown: Callable[[], page.Status] = status
    reload_error: Exception | None = None
    asked: list[tuple[bool, bool]] = field(default_factory=list)
    reloads: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        self.asked.append((openmetrics, gzip))
        self.begun.set()
        try:
            for chunk in self.chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                text = await chunk if isinstance(chunk, asyncio.Future) else chunk
                yield gzip_member(text) if gzip else text
                await asyncio.sleep(0)
        finally:
            self.ended.set()

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "ready" if self.is_ready else "waiting for 123456789012 us-east-1"

    def status(self) -> page.Status:
        return self.shown()

    def job(self, account: str, region: str, name: str) -> page.JobStatus:
        status = self.shown()
        wanted = (account, region, name)
        found = (one for one in status.jobs if (one.job.account, one.job.region, one.job.name) == wanted)
        return page.JobStatus(status.version, status.now, account, region, name, next(found, None), status.root)

    async def reload(self) -> None:
        self.reloads += 1
        if self.reload_error is not None:
            raise self.reload_error


@asynccontextmanager
async def serving(
    exporter: FakeExporter | None = None,
    options: WebOptions = LOCAL,
    *,
    security: WebSecurity | None = None,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[int]:
    """Run a server on this machine, and yield its port."""
    async with serve(
        exporter or FakeExporter(), options, security=security, limits=limits or ConnectionLimits()
    ) as bound:
        yield bound[0][1]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(port: int, request: bytes, *, seconds: float = 10.0) -> bytes:
    """Send raw bytes, and return everything that the server sends until it closes or resets the connection."""
    answer = b""
    async with asyncio.timeout(seconds), connected(port) as (reader, writer):
        writer.write(request)
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                answer += piece
    return answer


async def cut_off(reader: asyncio.StreamReader) -> bool:
    """Return whether the connection ends with a reset instead of a clean close."""
    try:
        async with asyncio.timeout(60):
            while await reader.read(65536):
                pass
    except ConnectionError:
        return True
    return False


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    """Return the bytes of a GET request that closes the connection."""
    lines = [f"GET {path} HTTP/{version}", "Host: test", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()
