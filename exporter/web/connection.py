"""One accepted connection with deadlines: for the head of a request, and for a client that does not read."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import cast

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Deadline:
    """Keeps no reference to its owner while it does not run: a cycle would keep the buffers of a closed connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self, missed: Callable[[], None]) -> None:
        """Start unless it runs already: a deadline is not put off by a byte now and then."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, missed)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(asyncio.Protocol):
    """Stands before aiohttp's protocol, which ends idle connections only, and passes everything on to it."""

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
        # A TLS transport that was closed twice does not know its socket any more.
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
        """Somebody serves the connection, and may be cancelled to end it."""
        self._waiting_since = asyncio.get_running_loop().time()

    @property
    def waiting_since(self) -> float | None:
        """Since when nothing is being answered, by the loop's clock; None while something is, or nobody serves it."""
        return self._waiting_since

    def request_began(self) -> None:
        """The head of a request is whole; whoever answers it watches over the rest."""
        self._answering = True
        self._waiting_since = asyncio.get_running_loop().time()
        self._head.stop()

    def request_admitted(self) -> None:
        """The request has its password and its body: it is being answered."""
        self._waiting_since = None

    def request_ended(self) -> None:
        """The answer is made; the next byte that comes is the start of another request."""
        self._answering = False
        self._waiting_since = asyncio.get_running_loop().time()

    def check(self) -> None:
        """Raise ConnectionResetError if the connection is lost."""
        if self._transport is None:
            raise ConnectionResetError("the client is gone")

    def abort(self) -> None:
        """End at once with a reset, so that nobody takes what was sent so far for the whole."""
        if self._transport is None or self._socket is None:
            return
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
