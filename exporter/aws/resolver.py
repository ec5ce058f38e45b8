"""Resolve host names in threads of their own.

The SDK's HTTP client would resolve in the event loop's default executor. A name server that does not answer holds a
thread for half a minute: a few names fill that executor, which compression and password checks share, and asyncio waits
for all of its threads at exit. These threads are daemons that nobody waits for, one for each name at most.

aiodns needs no threads, but it asks name servers by itself: what the host's nsswitch.conf adds (mDNS, sssd, a local
resolver) would stop working for people who have it. getaddrinfo is what every other program on the host uses.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

# Enough for all endpoints of many regions; names beyond that wait until a thread ends.
_THREADS = 16
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

_Name = tuple[str, int, int]
_Found = asyncio.Future[list[ResolveResult]]


class Resolver(AbstractResolver):
    """Resolves for the HTTP clients of one event loop. A lookup that takes longer than `timeout` seconds fails for
    those who wait, and goes on: whoever asks for the same name again waits for the same lookup."""

    def __init__(self, timeout: float, getaddrinfo: Callable[..., Any] | None = None) -> None:
        self._timeout, self._getaddrinfo = timeout, getaddrinfo
        self._lookups: dict[_Name, _Found] = {}
        self._queue: deque[_Name] = deque()
        self._threads = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises OSError."""
        name = (host, port, int(family))
        lookup = self._lookups.get(name) or self._begin(name)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(lookup)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the name server does not answer") from None

    async def close(self) -> None:
        """Keep the threads: other clients use them."""

    def _begin(self, name: _Name) -> _Found:
        found: _Found = asyncio.get_running_loop().create_future()
        # A failure that nobody waits for any more is not worth a message.
        found.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._lookups[name] = found
        self._queue.append(name)
        self._start_threads()
        return found

    def _start_threads(self) -> None:
        while self._queue and self._threads < _THREADS:
            name = self._queue.popleft()
            self._threads += 1
            loop = asyncio.get_running_loop()
            thread = threading.Thread(target=self._look_up, args=(loop, name), name=f"resolve {name[0]}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._settle(name, socket.gaierror(socket.EAI_MEMORY, "no thread can be started"))

    def _look_up(self, loop: asyncio.AbstractEventLoop, name: _Name) -> None:
        """Run in a thread."""
        result: list[ResolveResult] | OSError
        try:
            result = _addresses(name, self._getaddrinfo or socket.getaddrinfo)
        except OSError as error:
            result = error
        except UnicodeError:
            result = socket.gaierror(socket.EAI_NONAME, "not a host name")
        try:
            loop.call_soon_threadsafe(self._ended, name, result)
        except RuntimeError:
            # The loop was closed meanwhile.
            return

    def _ended(self, name: _Name, result: list[ResolveResult] | OSError) -> None:
        self._settle(name, result)
        self._start_threads()

    def _settle(self, name: _Name, result: list[ResolveResult] | OSError) -> None:
        self._threads -= 1
        found = self._lookups.pop(name)
        if isinstance(result, OSError):
            found.set_exception(result)
        else:
            found.set_result(result)


def _addresses(name: _Name, getaddrinfo: Callable[..., Any]) -> list[ResolveResult]:
    host, port, family = name
    infos = getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(hostname=host, host=_numeric(address), port=address[1], family=its, proto=proto, flags=_NUMERIC)
        for its, _, proto, _, address in infos
    ]


def _numeric(address: tuple[Any, ...]) -> str:
    """Return an address as text, with the scope that a link-local one of IPv6 has."""
    if len(address) == 4 and address[3]:
        return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    return str(address[0])
