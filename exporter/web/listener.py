"""Listening: from an address to sockets, and from sockets to connections."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack

from exporter.config import Address
from exporter.process.logs import Log
from exporter.web.connection import Connection

_log = Log(__name__)
_BACKLOG = 128
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenError(Exception):
    """The server cannot listen; the message says where and why, and is meant for the user."""


def bind(*addresses: Address) -> tuple[socket.socket, ...]:
    """Listening sockets: for each address one for every interface, both IPv4 and IPv6, or one for each address of the
    host.

    Port 0 lets the system choose, the same port for all of a host. Raises ListenError, and listens nowhere then.
    """
    with ExitStack() as undo:
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                found = _bind(address)
            except socket.gaierror as error:
                raise ListenError(f"cannot listen on {address}: no such host ({error.strerror})") from error
            except OSError as error:
                ours = any(sock.getsockname()[1] == address.port for sock in sockets)
                raise ListenError(f"cannot listen on {address}: {_reason(error, ours)}") from error
            sockets += [undo.enter_context(sock) for sock in found]
        undo.pop_all()
        return tuple(sockets)


def _bind(address: Address) -> tuple[socket.socket, ...]:
    # [::] is every address, IPv4 too, as in other exporters.
    if address.host in ("", "::"):
        return (_bind_all_interfaces(address.port),)
    return _bind_host(address.host, address.port)


def _bind_all_interfaces(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _listen(socket.AF_INET6, ("::", port), dualstack=True)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
    return _listen(socket.AF_INET, ("", port))


def _bind_host(host: str, port: int) -> tuple[socket.socket, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    absent: OSError | None = None
    with ExitStack() as undo:
        sockets: list[socket.socket] = []
        for family, _, _, _, sockaddr in dict.fromkeys(found):
            try:
                sock = _listen(family, (sockaddr[0], port, *sockaddr[2:]))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            sockets.append(undo.enter_context(sock))
            port = sock.getsockname()[1]
        if not sockets and absent is not None:
            raise absent
        undo.pop_all()
        return tuple(sockets)


def _listen(family: int, sockaddr: tuple[str | int, ...], *, dualstack: bool = False) -> socket.socket:
    sock = socket.create_server(
        sockaddr, family=socket.AddressFamily(family), backlog=_BACKLOG, dualstack_ipv6=dualstack
    )
    sock.setblocking(False)
    return sock


def _reason(error: OSError, ours: bool) -> str:
    """Why the system refuses; `ours` is whether this process listens on the same port elsewhere."""
    if error.errno == errno.EADDRINUSE and ours:
        return "another --web.listen-address covers it, or another process uses it; leave one of them out"
    if error.errno == errno.EADDRINUSE:
        return "the address is already in use; stop what uses it or choose another --web.listen-address"
    if error.errno == errno.EACCES:
        return "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or type(error).__name__


class Acceptor:
    """Accepts connections and keeps each until it ends. At the limit, a new one takes the place of the one that has
    been waiting longest without a request that is being answered; where there is none it is closed at once."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        tls: Callable[[], ssl.SSLContext | None],
        *,
        limit: int,
        handshake_timeout: float,
    ) -> None:
        self._connect = connect
        self._tls = tls
        self._limit = limit
        self._handshake_timeout = handshake_timeout
        self._open: dict[asyncio.Task[None], Connection] = {}

    async def accept(self, listening: socket.socket) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno not in _FULL:
                    continue  # The client gave up between its request and our accept.
                _log.warning("connections cannot be accepted", reason=error.strerror)
                await asyncio.sleep(1)
                continue
            if self._has_room():
                self._open_connection(sock)
            else:
                sock.close()

    async def close(self) -> None:
        """Cut off what is still open."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _has_room(self) -> bool:
        """Whether another connection is within the limit, if need be by ending one that waits."""
        if len(self._open) < self._limit:
            return True
        waiting = [(since, task) for task, c in self._open.items() if (since := c.waiting_since) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda one: one[0])
        del self._open[longest]
        longest.cancel()
        return True

    def _open_connection(self, sock: socket.socket) -> None:
        connection = self._connect()
        task = asyncio.get_running_loop().create_task(self._serve(sock, connection))
        self._open[task] = connection
        task.add_done_callback(lambda task: self._open.pop(task, None))

    async def _serve(self, sock: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.accepted()
        context = self._tls()
        timeout = None if context is None else self._handshake_timeout
        try:
            await loop.connect_accepted_socket(lambda: connection, sock, ssl=context, ssl_handshake_timeout=timeout)
            await connection.closed
        except OSError as error:
            _log.debug("a connection failed", reason=error.strerror or type(error).__name__)
        finally:
            connection.abort()
