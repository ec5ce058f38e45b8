"""Serve an AWS endpoint over a socket, byte by byte: responses that are whole, endless, truncated or late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

Send = Callable[[bytes], Awaitable[None]]
Reply = Callable[[Send], Awaitable[None]]


@asynccontextmanager
async def answering(patch: pytest.MonkeyPatch, *answers: Reply) -> AsyncIterator[list[bytes]]:
    """Serve these responses, repeating the last one, and yield the received requests."""
    left, requests = list(answers), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            requests.append(await reader.readexactly(length))
            await (left.pop(0) if len(left) > 1 else left[0])(send)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    for service in ("_PRICING", "_SERVICE_QUOTAS", "_CLOUDWATCH"):
        patch.delenv(f"AWS_ENDPOINT_URL{service}", raising=False)
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        yield requests


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Reply:
    async def answer(send: Send) -> None:
        lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers, b"", b"")
        await send(b"\r\n".join(lines))
        await send(body)

    return answer


async def endless(send: Send) -> None:
    await send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def cut(send: Send) -> None:
    await send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"TrainingJob')


async def late(send: Send) -> None:
    await send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"TrainingJob')
    await asyncio.sleep(60)


async def trickle(send: Send) -> None:
    await send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await send(b" ")
        await asyncio.sleep(0.05)
