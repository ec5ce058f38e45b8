"""Opens listening sockets for addresses, and accepts connections on them."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack

from exporter.config import Address
from exporter.process.errors import UserError
from exporter.process.logs import Log
from exporter.web.connection import Connection

_log = Log(__name__)
_BACKLOG = 128
# The process or the machine is out of resources: accepting again at once would fail again.
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# The machine does not have this address, or no IPv6 at all.
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenError(UserError):
    """The server cannot listen. The message tells the user where and why."""


def bind(*addresses: Address) -> tuple[socket.socket, ...]:
    """Return listening sockets for some addresses.

    An empty host gives one socket for all interfaces, IPv4 and IPv6; another host one for each of its IP addresses.
    Port 0 lets the system choose one port, the same for all IP addresses of the host. Raises ListenError after closing
    the sockets that were opened.
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
    # [::] includes IPv4, as in other exporters.
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
        # `localhost` may resolve to ::1 on a machine without IPv6: one address that works is enough.
        for family, _, _, _, sockaddr in dict.fromkeys(found):
            try:
                sock = _listen(family, (sockaddr[0], port, *sockaddr[2:]))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            sockets.append(undo.enter_context(sock))
            # For port 0, use the port that the system chose for the first address for the others too.
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
    """Return why an address cannot be listened on. `ours` is whether this process already uses the same port."""
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
    """Accepts connections up to a limit.

    At the limit a new connection replaces the one that has been idle for longest. If all are being answered, the new
    one is closed at once.
    """

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
                    continue  # The client disconnected before it was accepted.
                _log.warning("connections cannot be accepted", reason=error.strerror)
                # Other connections may end meanwhile; without a pause this would be a busy loop.
                await asyncio.sleep(1)
                continue
            if self._has_room():
                self._open_connection(sock)
            else:
                sock.close()

    async def close(self) -> None:
        """Reset the connections that are still open."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _has_room(self) -> bool:
        """Return whether another connection is within the limit, after ending an idle one if necessary."""
        if len(self._open) < self._limit:
            return True
        waiting = [(since, task) for task, c in self._open.items() if (since := c.waiting_since) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda one: one[0])
        # Its task ends later; it must not count towards the limit until then.
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
