"""Test that the server still serves after slow, greedy and malformed clients."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from exporter.web.config import WebConfigFile
from exporter.web.routes import ConnectionLimits
from tests.http.certificates import LOOPBACK, Authority
from tests.http.fakes import QUICK, FakeExporter, connected, cut_off, exchange, get, serving
from tests.http.pages import ordinary
from tests.logged import text


async def assert_alive(port: int) -> None:
    answer = await exchange(port, get("/healthz"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"ok\n")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_cut_off(sent: bytes) -> None:
    async with serving(limits=QUICK) as port:
        began = time.monotonic()
        assert await exchange(port, sent) == b""
        assert 0.2 < time.monotonic() - began < 8
        await assert_alive(port)


async def test_a_byte_now_and_then_does_not_put_the_deadline_off() -> None:
    async with serving(limits=QUICK) as port, connected(port) as (reader, writer):
        ended = asyncio.create_task(reader.read())
        began = time.monotonic()
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        while not ended.done() and time.monotonic() - began < 20:
            writer.write(b"z")
            await asyncio.sleep(0.05)
        assert time.monotonic() - began < 8
        assert isinstance(ended.exception(), ConnectionError) or ended.result() == b""


async def test_the_second_head_has_a_deadline_too() -> None:
    limits = ConnectionLimits(header_timeout=0.3, idle_timeout=60)
    async with serving(limits=limits) as port, connected(port) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.5)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /heal")
        assert await cut_off(reader)


async def test_an_idle_connection_is_closed() -> None:
    async with serving(limits=QUICK) as port:
        answer = await exchange(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", seconds=5)
    assert answer.endswith(b"ok\n")


async def test_a_client_that_stops_reading_is_cut_off() -> None:
    exporter = FakeExporter(chunks=[bytes(1_000_000)] * 100)
    async with serving(exporter, limits=QUICK) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, get("/metrics"))
            async with asyncio.timeout(60):
                await exporter.ended.wait()
        await assert_alive(port)


async def test_a_client_that_reads_slowly_gets_everything() -> None:
    """It takes longer than the deadline of a client that does not read at all."""
    exporter = FakeExporter(chunks=[bytes(500_000)] * 16)
    got, began = 0, time.monotonic()
    async with serving(exporter, limits=QUICK) as port, connected(port) as (reader, writer):
        writer.write(get("/metrics"))
        while piece := await reader.read(400_000):
            got += len(piece)
            await asyncio.sleep(0.01)
    assert got > 8_000_000
    assert time.monotonic() - began > QUICK.write_timeout


async def test_headers_that_are_too_large_are_refused() -> None:
    async with serving() as port:
        for request in (get("/healthz", "X-Big: " + "a" * 20_000), get("/" + "a" * 20_000)):
            assert (await exchange(port, request)).startswith(b"HTTP/1.0 400 ")
        await assert_alive(port)


async def test_too_many_headers_are_refused() -> None:
    async with serving() as port:
        answer = await exchange(port, get("/healthz", *(f"X-{i}: {i}" for i in range(10_000))))
        assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0]
        await assert_alive(port)


@pytest.mark.parametrize("framing", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_large_is_refused(framing: str) -> None:
    body = b"1388\r\n" + bytes(5000) + b"\r\n0\r\n\r\n" if "chunked" in framing else bytes(5000)
    exporter = FakeExporter()
    async with serving(exporter) as port:
        answer = await exchange(
            port, f"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{framing}\r\n\r\n".encode() + body
        )
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert exporter.reloads == 0
        await assert_alive(port)


async def test_a_small_body_is_no_harm() -> None:
    exporter = FakeExporter()
    async with serving(exporter) as port:
        answer = await exchange(
            port, b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert exporter.reloads == 1


async def test_a_body_that_does_not_come_is_cut_off() -> None:
    exporter = FakeExporter()
    async with serving(exporter, limits=QUICK) as port:
        began = time.monotonic()
        assert await exchange(port, b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nno") == b""
        assert time.monotonic() - began < 8
        await assert_alive(port)
    assert exporter.reloads == 0


ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_at_the_limit_the_connection_that_is_idle_for_longest_makes_room() -> None:
    async with (
        serving(limits=ConnectionLimits(connections=2)) as port,
        connected(port) as first,
        connected(port) as second,
    ):
        for reader, writer in (first, second, first):
            writer.write(ALIVE)
            await reader.readuntil(b"ok\n")
        await assert_alive(port)
        assert await cut_off(second[0])
        first[1].write(ALIVE)
        assert (await first[0].readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET /metr", ALIVE, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"])
async def test_clients_that_keep_their_connections_lock_nobody_out(sent: bytes) -> None:
    """They are half as many again as the limit allows, and no response is pending on their connections."""
    exporter = FakeExporter()
    async with AsyncExitStack() as clients, serving(exporter, limits=ConnectionLimits(connections=60)) as port:
        for _ in range(90):
            reader, writer = await clients.enter_async_context(connected(port))
            writer.write(sent)
            if sent == ALIVE:
                await reader.readuntil(b"ok\n")
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await exchange(port, get(path))).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_nor_do_handshakes_that_do_not_come(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    authority.sign("server", *LOOPBACK)
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    security = WebConfigFile(str(tmp_path / "web.yml"))
    async with AsyncExitStack() as clients, serving(security=security, limits=ConnectionLimits(connections=10)) as port:
        for _ in range(20):
            await clients.enter_async_context(connected(port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client())
        writer.write(get("/healthz"))
        assert (await reader.read()).endswith(b"ok\n")
        writer.transport.abort()


async def test_connections_beyond_the_limit_are_closed_at_once_while_all_are_answered() -> None:
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with serving(FakeExporter(chunks=[b"a 1\n", never]), limits=ConnectionLimits(connections=2)) as port:
        async with connected(port) as first, connected(port) as second:
            for reader, writer in (first, second):
                writer.write(get("/metrics"))
                await reader.readuntil(b"a 1\n")
            assert await exchange(port, get("/healthz")) == b""
        never.set_result(b"b 2\n")
        # The server notices a closed connection when it next reads; until then it counts.
        answers = [await exchange(port, get("/healthz")) for _ in range(50)]
        assert answers[-1].endswith(b"ok\n")


async def test_page_readers_that_are_slow_leave_scrapes_their_room() -> None:
    """They are as many as the limit allows: each has its page in the server's buffers and reads nothing."""
    exporter = FakeExporter(shown=lambda: ordinary(400))
    async with AsyncExitStack() as clients, serving(exporter, limits=ConnectionLimits(pages=50, requests=1)) as port:
        for _ in range(60):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.connect(("127.0.0.1", port))
            client.sendall(get("/"))
        for path in ("/metrics", "/healthz", "/readyz", "/metrics"):
            assert (await exchange(port, get(path))).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_page_reader_that_stops_reading_is_cut_off() -> None:
    exporter = FakeExporter(shown=lambda: ordinary(400))
    limits = ConnectionLimits(pages=1, write_timeout=0.3)
    async with serving(exporter, limits=limits) as port, AsyncExitStack() as clients:
        client = clients.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, get("/"))
        codes = {b"503"}
        async with asyncio.timeout(60):
            while b"200" not in codes:
                codes.add((await exchange(port, get("/"))).split(b" ")[1])
        assert codes == {b"200", b"503"}


def nonsense(chance: random.Random) -> bytes:
    """Return a request with bytes changed, lost or doubled, or something that is no request at all."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(1, 400))
    data = bytearray(
        chance.choice(
            [
                get("/metrics", "Accept: */*"),
                get("/?q=%ff&page=9"),
                b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
                b"OPTIONS * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            ]
        )
    )
    for _ in range(chance.randrange(0, 6)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(0, 4)] = chance.randbytes(chance.randrange(0, 4))
    return bytes(data)


@pytest.mark.parametrize("seed", range(8))
async def test_nonsense_is_refused_and_does_no_harm(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)
    async with serving(limits=QUICK) as port:
        requests = [nonsense(chance) for _ in range(40)]
        answers = await asyncio.gather(*(exchange(port, request) for request in requests))
        await assert_alive(port)
    for request, answer in zip(requests, answers, strict=True):
        if answer:
            code = int(answer.split(b" ", 2)[1])
            # aiohttp fails on an Expect header that is not UTF-8 before the exporter's code runs.
            assert code < 500 or b"Expect" in request, request
    assert "Traceback" not in caplog.text + text(caplog)
    assert [record for record in caplog.records if record.name in ("asyncio", "aiohttp.server")] == []


async def test_shutdown_does_not_wait_for_slow_clients() -> None:
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    exporter = FakeExporter(chunks=[b"a 1\n", never])
    async with AsyncExitStack() as clients:
        async with serving(exporter) as port:
            await clients.enter_async_context(connected(port))
            reader, writer = await clients.enter_async_context(connected(port))
            writer.write(get("/metrics"))
            await reader.readuntil(b"a 1\n")
            began = time.monotonic()
        assert time.monotonic() - began < 2.5
        assert await cut_off(reader)
    assert exporter.ended.is_set()
