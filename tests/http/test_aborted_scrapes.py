"""Test that clients that disconnect before the response leave nothing behind for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import AsyncGeneratorType

import pytest
from aiohttp import web
from aiohttp.http_writer import StreamWriter
from aiohttp.web_protocol import RequestHandler

from exporter.web.config import WebConfigFile
from exporter.web.connection import Connection
from exporter.web.routes import ConnectionLimits
from tests.http.certificates import LOOPBACK, Authority
from tests.http.fakes import FakeExporter, exchange, get, serving

RESET = struct.pack("ii", 1, 0)
# As large as what the exporter sends at a time.
CHUNK = 500_000
LARGE = [b"x" * CHUNK] * 20
BEHIND = (Connection, RequestHandler, StreamWriter, web.Request, web.StreamResponse)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Disable garbage collection, so that objects in a cycle stay."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


async def leave(port: int, request: bytes, *, read: int = 0, tls: ssl.SSLContext | None = None) -> None:
    """Send a request, read at least `read` bytes of the response, and disconnect with a reset."""
    loop = asyncio.get_running_loop()
    if tls is not None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(request)
        while read > 0 and (piece := await reader.read(65536)):
            read -= len(piece)
        writer.transport.abort()
        return
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request)
        while read > 0 and (piece := await loop.sock_recv(client, 65536)):
            read -= len(piece)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def is_of_a_request(thing: object) -> bool:
    if isinstance(thing, AsyncGeneratorType):
        return thing.ag_code.co_name == "metrics"
    # aiohttp itself creates a reference cycle for a 404 or 405. It contains nothing large.
    return isinstance(thing, BEHIND) and not isinstance(thing, web.HTTPException)


async def left_behind() -> Counter[str]:
    """Return the objects of requests that still exist once the server is done with all of them."""
    found: Counter[str] = Counter()
    for _ in range(100):
        found = Counter(type(thing).__qualname__ for thing in gc.get_objects() if is_of_a_request(thing))
        if not found:
            break
        await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def secured(
    directory: Path, exporter: FakeExporter, limits: ConnectionLimits
) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    authority = Authority.new(directory)
    authority.sign("server", *LOOPBACK)
    (directory / "web.yml").write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    security = WebConfigFile(str(directory / "web.yml"))
    async with serving(exporter, security=security, limits=limits) as port:
        yield port, authority.client()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("read", [0, 1, 3 * CHUNK], ids=["before", "at-the-start", "midway"])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
async def test_a_scrape_that_is_aborted_leaves_nothing_behind(read: int, gzip: bool) -> None:
    exporter = FakeExporter(chunks=[bytes(range(256)) * 2000] * 20)
    request = get("/metrics", *(["Accept-Encoding: gzip"] if gzip else []))
    async with serving(exporter) as port:
        await asyncio.gather(*(leave(port, request, read=0 if gzip and read > 1 else read) for _ in range(20)))
        assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("read", [0, 1, 3 * CHUNK], ids=["before", "at-the-start", "midway"])
async def test_nor_does_one_over_tls(read: int, tmp_path: Path) -> None:
    async with secured(tmp_path, FakeExporter(chunks=LARGE), ConnectionLimits()) as (port, tls):
        await asyncio.gather(*(leave(port, get("/metrics"), read=read, tls=tls) for _ in range(20)))
        assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
async def test_nor_does_a_scrape_that_times_out() -> None:
    """The client reads a part, then nothing until the server closes the connection."""
    async with serving(FakeExporter(chunks=LARGE), limits=ConnectionLimits(write_timeout=0.2)) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, get("/metrics"))
            await loop.sock_recv(client, 100_000)
            assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("chunks", "limits"),
    [
        ([b"a 1\n", OSError("half way")], ConnectionLimits()),
        ([OSError("at once")], ConnectionLimits()),
        (LARGE[:1], ConnectionLimits(answer_timeout=0.1, requests=0)),
    ],
    ids=["failed-midway", "failed", "refused"],
)
async def test_nor_does_one_that_fails(chunks: list[bytes | Exception], limits: ConnectionLimits) -> None:
    async with serving(FakeExporter(chunks=chunks), limits=limits) as port:
        await exchange(port, get("/metrics"))
        assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
async def test_nor_does_one_that_takes_too_long() -> None:
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with serving(FakeExporter(chunks=[b"a 1\n", never]), limits=ConnectionLimits(answer_timeout=0.1)) as port:
        await exchange(port, get("/metrics"))
        assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "request_", [get("/"), get("/healthz"), get("/nowhere"), b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"]
)
@pytest.mark.parametrize("reads", [True, False])
async def test_nor_does_any_other_request(request_: bytes, reads: bool) -> None:
    async with serving() as port:
        for _ in range(5):
            await leave(port, request_, read=int(reads))
        assert await left_behind() == {}


@pytest.mark.usefixtures("no_collector")
async def test_nor_does_a_body_that_does_not_come() -> None:
    async with serving(limits=ConnectionLimits(header_timeout=0.1)) as port:
        await exchange(port, b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nno")
        assert await left_behind() == {}


def resident() -> int:
    """Return the resident memory in MiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20


@dataclass
class _Compressed(FakeExporter):
    """Hold chunks that are already compressed, as the exporter does for unchanged ones."""

    async def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        for chunk in LARGE:
            yield chunk
            await asyncio.sleep(0)


@pytest.mark.long
@pytest.mark.usefixtures("no_collector")
async def test_memory_is_flat_over_ten_thousand_aborted_scrapes(tmp_path: Path) -> None:
    plain, zipped = get("/metrics"), get("/metrics", "Accept-Encoding: gzip")
    async with serving(_Compressed()) as open_port, secured(tmp_path, _Compressed(), ConnectionLimits()) as (port, tls):
        most = 0
        for number in range(100):
            await asyncio.gather(
                *(leave(open_port, plain) for _ in range(75)),
                *(leave(open_port, zipped, read=int(number % 4 == 0)) for _ in range(20)),
                *(leave(port, plain, tls=tls) for _ in range(5)),
            )
            if number == 10:
                most = resident() + 30
        await left_behind()
        assert resident() < most
