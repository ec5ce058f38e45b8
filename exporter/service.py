"""The running exporter: the application behind its HTTP server, and a new one in its place after a reload."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

from exporter.app import App
from exporter.clock import Clock
from exporter.config import Config, ConfigError
from exporter.garbage import Garbage
from exporter.ledger.ledger import Ledger
from exporter.web import page
from exporter.web.routes import ReloadError, WebOptions
from exporter.web.security import WebSecurity
from exporter.web.server import serve
from exporter.web.status import status

_log = logging.getLogger(__name__)
# How long a reload waits for the new polls before it shows what they have.
_PATIENCE = 10.0
_TRIED = 0.5


class Service:
    """What the server asks (routes.Exporter). `load` reads the configuration anew; it raises ConfigError."""

    def __init__(self, load: Callable[[], Config], clock: Clock) -> None:
        self._load, self._clock = load, clock
        self._config = load()
        self._stack = AsyncExitStack()
        self._ledger: Ledger | None = None
        self._app: App | None = None
        self._polling: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._garbage = Garbage()
        self.ended: asyncio.Future[None] | None = None

    @property
    def config(self) -> Config:
        return self._config

    async def start(self) -> None:
        """Begin to poll. Raises StateError."""
        config = self._config
        self._ledger = await self._stack.enter_async_context(
            Ledger(config.state.path, self._clock.time, config.totals.backfill)
        )
        self._app, self._polling = self._poll(config, self._ledger)

    async def stop(self) -> None:
        if self._polling:
            await _stop(self._polling)
        await self._stack.aclose()

    async def reload(self) -> None:
        """Read the configuration again and poll by it. What cannot be used is refused, the old one stays. The new
        polls begin beside the old ones, which the totals do not mind; they are shown when each target was tried."""
        async with self._turn:
            try:
                config = self._load()
                if (config.web, config.state) != (self._config.web, self._config.state):
                    raise ReloadError("web and state cannot change while it runs; restart instead")
            except (ConfigError, ReloadError) as error:
                self._open().reload_ok = False
                _log.error("the configuration was not reloaded: %s", error)
                raise ReloadError(str(error)) from error
            ledger, earlier = self._open().ledger, self._polling
            ledger.backfill = config.totals.backfill
            app, polling = self._poll(config, ledger)
            patience = self._clock.monotonic() + _PATIENCE
            while app.waiting() and self._clock.monotonic() < patience:
                await self._clock.sleep(0.1)
            self._config, self._app, self._polling = config, app, polling
            if earlier:
                await _stop(earlier)
            # Its traceback would keep what it polled.
            del earlier
            self._garbage.collect()
            _log.info("configuration reloaded")

    async def keep_garbage_rare(self) -> None:
        """From when every job was read once until cancelled: what is there then is there to stay."""
        while self._open().waiting():
            await self._clock.sleep(_TRIED)
        await self._garbage.set_aside_for_ever(self._clock)

    def _poll(self, config: Config, ledger: Ledger) -> tuple[App, asyncio.Task[None]]:
        app = App(config, self._clock, ledger)
        task = asyncio.create_task(app.run())
        task.add_done_callback(self._poll_ended)
        return app, task

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        return self._open().board.metrics(openmetrics, gzip)

    def ready(self) -> tuple[bool, str]:
        waiting = self._open().waiting()
        return not waiting, f"waiting for {', '.join(waiting)}" if waiting else "ready"

    def status(self) -> page.Status:
        return status(self._open(), self._clock.time())

    def _open(self) -> App:
        if self._app is None:
            raise RuntimeError("the service has not been started")
        return self._app

    def _poll_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and self.ended and not self.ended.done() and (error := task.exception()):
            self.ended.set_exception(error)


async def serve_until_stopped(
    service: Service,
    lifecycle: bool,
    security: WebSecurity | None,
    bound: Callable[[tuple[tuple[str, int], ...]], None],
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads. Raises ListenError, StateError."""
    loop = asyncio.get_running_loop()
    ended = service.ended = loop.create_future()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(service))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    for number, handler in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, reload)):
        loop.add_signal_handler(number, handler)
    web = service.config.web
    async with AsyncExitStack() as stack:
        await service.start()
        stack.push_async_callback(service.stop)
        options = WebOptions(web.listen_address, web.telemetry_path, lifecycle)
        bound(await stack.enter_async_context(serve(service, options, security=security)))
        stack.push_async_callback(_stop, loop.create_task(service.keep_garbage_rare()))
        await ended


async def _reload(service: Service) -> None:
    try:
        await service.reload()
    except ReloadError:
        return


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
