"""The HTTP server. It limits its clients and responds from memory: no response waits for AWS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from exporter.process.stopping import stop_task
from exporter.web.connection import Connection
from exporter.web.listener import Acceptor, bind
from exporter.web.routes import ConnectionLimits, Exporter, Routes, WebOptions
from exporter.web.security import PlainHttp, WebSecurity

# aiohttp logs each malformed request with a traceback. Failures of handlers are logged by `answered`.
_silent = logging.Logger("exporter.web.server.protocol", logging.CRITICAL + 1)
_DEFAULT_LIMITS = ConnectionLimits()


@asynccontextmanager
async def serve(
    exporter: Exporter,
    options: WebOptions,
    *,
    security: WebSecurity | None = None,
    limits: ConnectionLimits = _DEFAULT_LIMITS,
) -> AsyncIterator[tuple[tuple[str, int], ...]]:
    """Serve during the block. Yields the (host, port) pairs that it listens on. Raises ListenError."""
    security = security or PlainHttp()
    routes = Routes(exporter, options, security, limits)
    async with AsyncExitStack() as stack:
        sockets = bind(*options.listen_addresses)
        for sock in sockets:
            stack.callback(sock.close)
        runner = web.AppRunner(
            routes.application(),
            access_log=None,
            logger=_silent,
            auto_decompress=False,
            keepalive_timeout=limits.idle_timeout,
            lingering_time=1.0,
            shutdown_timeout=limits.shutdown_timeout,
        )
        await runner.setup()
        acceptor = _acceptor(runner, security, limits)
        # Run in reverse order: stop accepting, let handlers finish, reset remaining connections, close the sockets.
        stack.push_async_callback(acceptor.close)
        stack.push_async_callback(runner.cleanup)
        for sock in sockets:
            stack.push_async_callback(stop_task, asyncio.create_task(acceptor.accept(sock)))
        yield tuple(sock.getsockname()[:2] for sock in sockets)


def _acceptor(runner: web.AppRunner, security: WebSecurity, limits: ConnectionLimits) -> Acceptor:
    new_protocol = runner.server
    if new_protocol is None:
        raise RuntimeError("the runner must be set up before connections are accepted")

    def connect() -> Connection:
        return Connection(new_protocol(), header_timeout=limits.header_timeout, write_timeout=limits.write_timeout)

    return Acceptor(connect, security.tls, limit=limits.connections, handshake_timeout=limits.header_timeout)
