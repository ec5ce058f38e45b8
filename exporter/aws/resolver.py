"""Resolves host names in dedicated threads.

By default the SDK's HTTP client resolves names in the default executor of the event loop. A name server that does not
respond blocks a thread for half a minute: a few names fill that executor, which compression and password checks share,
and asyncio waits for all of its threads at exit. The threads here are daemons, one per name at most, and do not delay
the exit.

aiodns needs no threads, but queries name servers directly: names from other sources of the host's nsswitch.conf (mDNS,
sssd, a local resolver) would not resolve. getaddrinfo resolves what every other program on the host does.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

# Enough for the endpoints of many regions. Further names are queued until a thread ends.
_THREADS = 16
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

_Name = tuple[str, int, int]
_Found = asyncio.Future[list[ResolveResult]]


class Resolver(AbstractResolver):
    """Resolves host names for the HTTP clients of one event loop.

    After `timeout` seconds a lookup fails for its callers, but continues in its thread: getaddrinfo cannot be
    cancelled. Further callers of the same name wait for the same lookup, so that retries do not add threads.
    """

    def __init__(self, timeout: float, getaddrinfo: Callable[..., Any] | None = None) -> None:
        self._timeout, self._getaddrinfo = timeout, getaddrinfo
        self._lookups: dict[_Name, _Found] = {}
        self._queue: deque[_Name] = deque()
        self._threads = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises OSError if it cannot be resolved in time."""
        name = (host, port, int(family))
        lookup = self._lookups.get(name) or self._begin(name)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(lookup)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "the name server does not answer") from None

    async def close(self) -> None:
        """Do nothing: an HTTP client closes its resolver, and the others still use this one."""

    def _begin(self, name: _Name) -> _Found:
        found: _Found = asyncio.get_running_loop().create_future()
        # Retrieve the exception: asyncio would log a failure for which no caller waits any more.
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
        """Look up a name and report the result to the loop. Runs in a thread."""
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
            # The loop was closed in the meantime: the exporter is exiting.
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
    """Return an address of getaddrinfo as text; a link-local IPv6 address keeps its scope."""
    if len(address) == 4 and address[3]:
        return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    return str(address[0])
