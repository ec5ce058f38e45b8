"""Serves metrics until the process is told to stop, and reloads the configuration when it is told to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

from exporter import __version__
from exporter.config.watched import WatchedFile
from exporter.process.logs import Log
from exporter.process.stopping import handled, stop_task
from exporter.service import Service, summary
from exporter.web.routes import WebOptions
from exporter.web.security import WebSecurity
from exporter.web.server import serve

_log = Log(__name__)


async def serve_until_stopped(
    service: Service,
    lifecycle: bool,
    security: WebSecurity | None,
    bound: Callable[[tuple[tuple[str, int], ...]], None],
    file: WatchedFile | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; reload on SIGHUP and when the `file` changes. `bound` is called with the (host,
    port) pairs of the server. Raises ListenError, StoreError."""
    loop = asyncio.get_running_loop()
    ended = service.ended = loop.create_future()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(service.try_reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    _log.info("starting", version=__version__, **summary(service.config))
    web = service.config.web
    async with AsyncExitStack() as stack:
        stack.enter_context(handled({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}))
        await service.start()
        stack.push_async_callback(service.stop)
        options = WebOptions(web.listen_addresses, web.telemetry_path, lifecycle, web.prefix, web.external_path)
        bound(await stack.enter_async_context(serve(service, options, security=security)))
        # Before the server ends, which waits for its responses: a request to reload may be among them.
        stack.push_async_callback(service.stop_reloads)
        stack.push_async_callback(stop_task, loop.create_task(service.keep_garbage_rare()))
        if file:
            stack.push_async_callback(stop_task, loop.create_task(file.follow(service.try_reload)))
        await ended
