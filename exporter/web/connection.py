"""Wraps an accepted connection with deadlines: for the head of a request, and for a client that does not read."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import cast

# struct linger { on = 1, seconds = 0 }: closing the socket sends a RST.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Deadline:
    """A timer of a connection. It refers to its owner only while it runs: otherwise a reference cycle would keep the
    buffers of a closed connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self, missed: Callable[[], None]) -> None:
        """Start the timer unless it runs. `missed` is called when it expires."""
        # Do not restart it: a client could postpone the deadline by sending a byte now and then.
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, missed)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(asyncio.Protocol):
    """A protocol that adds deadlines and passes all events on to `inner`, aiohttp's protocol, which itself only ends
    idle connections. Timeouts are in seconds."""

    def __init__(self, inner: asyncio.Protocol, *, header_timeout: float, write_timeout: float) -> None:
        self._inner = inner
        self._head = _Deadline(header_timeout)
        self._write = _Deadline(write_timeout)
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._answering = False
        self._waiting_since: float | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Kept because a TLS transport that was closed twice does not return its socket any more.
        self._socket = transport.get_extra_info("socket")
        self._head.start(self.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._answering:
            self._head.start(self.abort)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._write.start(self.abort)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._write.stop()
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.stop()
        self._write.stop()
        self._transport = self._socket = None
        self._inner.connection_lost(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def accepted(self) -> None:
        """Mark the connection as idle: from now on `Acceptor` may end it in favour of another one."""
        self._waiting_since = asyncio.get_running_loop().time()

    @property
    def waiting_since(self) -> float | None:
        """Return since when the connection is idle, by the loop's clock; None while a request is being answered."""
        return self._waiting_since

    def request_began(self) -> None:
        """Record that the head of a request is complete: the handler enforces further limits."""
        self._answering = True
        # Still idle: a client without a password must not keep others out.
        self._waiting_since = asyncio.get_running_loop().time()
        self._head.stop()

    def request_admitted(self) -> None:
        """Record that a request is authorised and its body was read, so that it is being answered."""
        self._waiting_since = None

    def request_ended(self) -> None:
        """Record that a response is complete: the next byte begins another request."""
        self._answering = False
        self._waiting_since = asyncio.get_running_loop().time()

    def check(self) -> None:
        """Raise ConnectionResetError if the connection is lost."""
        if self._transport is None:
            raise ConnectionResetError("the client is gone")

    def abort(self) -> None:
        """Reset the connection, so that the client does not take a truncated response for a complete one."""
        if self._transport is None or self._socket is None:
            return
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
