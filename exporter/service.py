"""The running exporter: the application behind its HTTP server, and a new one in its place after a reload."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from exporter import __version__
from exporter.app import App
from exporter.clock import Clock
from exporter.config import Config, ConfigError
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.process.garbage import Garbage
from exporter.process.logs import Log
from exporter.process.reloads import Reloads, StoppedError
from exporter.process.stopping import handled
from exporter.targets import target_specs
from exporter.web import page
from exporter.web.answers import where
from exporter.web.routes import ReloadError, WebOptions
from exporter.web.security import WebSecurity
from exporter.web.server import serve
from exporter.web.status import status

_log = Log(__name__)
# How often to look whether every job was read once.
_LOOK = 0.1
# How long a reload waits for targets that fail, so that an outage of a minute takes no series away.
_PATIENCE = 180.0
# How long a request to reload waits for the new configuration to be shown: clients do not wait long.
_ANSWER = 8.0
# Between two loads of the configuration.
_PAUSE = 1.0


class Service:
    """What the server asks (routes.Exporter). `load` reads the configuration anew; it raises ConfigError."""

    def __init__(self, load: Callable[[], Config], clock: Clock) -> None:
        self._load, self._clock = load, clock
        self._config = load()
        self._stack = AsyncExitStack()
        self._ledger: Ledger | None = None
        self._app: App | None = None
        self._polling: asyncio.Task[None] | None = None
        self._reloads = Reloads(self._reload, self._pause)
        self._coming: Config | None = None
        self._switching: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._garbage = Garbage()
        self.ended: asyncio.Future[None] | None = None

    @property
    def config(self) -> Config:
        return self._config

    async def start(self) -> None:
        """Begin to poll. Raises StoreError."""
        config = self._config
        self._ledger = await self._stack.enter_async_context(
            open_ledger(config.state.path, self._clock.time, config.totals.backfill)
        )
        self._app, self._polling = self._poll(config, self._ledger)
        self._started.set()

    async def stop_reloads(self) -> None:
        """Refuse to reload from now on, also those who wait for it."""
        await self._reloads.stop()
        await self._abandon()

    async def stop(self) -> None:
        await self.stop_reloads()
        if self._polling:
            await _stop(self._polling)
        await self._stack.aclose()

    async def reload(self) -> None:
        """Read the configuration again and poll by it; requests that come together share one load. Returns when the
        new configuration is shown, or will be once every job was read. What cannot be used is refused, the old one
        stays. Raises ReloadError."""
        try:
            await self._reloads.request()
        except StoppedError as error:
            raise ReloadError("the exporter is stopping") from error
        if switching := self._switching:
            await asyncio.wait([switching], timeout=_ANSWER)
            if switching.done() and not switching.cancelled():
                switching.result()

    async def _pause(self) -> None:
        await self._clock.sleep(_PAUSE)

    async def _reload(self) -> None:
        await self._started.wait()
        try:
            await self._begin_to_switch()
        except ConfigError as error:
            raise self._refused(str(error), [problem.fields for problem in error.problems]) from error
        except ReloadError as error:
            raise self._refused(str(error)) from error
        except Exception as error:
            raise self._refused(_mistake(error)) from error

    def _refused(self, why: str, problems: Sequence[Mapping[str, object]] = ()) -> ReloadError:
        """Show that a reload failed; returns the error to raise."""
        self._open().reload_ok = False
        for fields in problems or [{"problem": why}]:
            _log.error("the configuration was not reloaded, the one before stays", **fields)
        return ReloadError(why)

    async def _begin_to_switch(self) -> None:
        config = self._load()
        if (config.web, config.state) != (self._config.web, self._config.state):
            raise ReloadError("web and state cannot change while it runs; restart instead")
        self._open().reload_ok = True
        if self._switching and not self._switching.done() and config == self._coming:
            return
        # A configuration that is newer than one that is not shown yet takes its place.
        await self._abandon()
        old = self._open()
        app, polling = self._poll(config, old.ledger, old)
        old.ledger.backfill = config.totals.backfill
        self._coming = config
        self._switching = asyncio.create_task(self._switch(config, app, polling))
        self._switching.add_done_callback(_retrieve)

    async def _switch(self, config: Config, app: App, polling: asyncio.Task[None]) -> None:
        """Show what the polls of a new configuration know once they have read every job. Until then they run beside the
        old ones, which the totals do not mind. Raises ReloadError, and then the old ones go on."""
        try:
            await self._until_complete(app, polling)
            app.take_over()
        except asyncio.CancelledError:
            await _stop(polling)
            raise
        except Exception as error:
            await _stop(polling)
            raise self._refused(_mistake(error)) from error
        await self._show(config, app, polling)
        # Only now does nothing here refer to the old application any more.
        self._garbage.collect()
        _log.info("the configuration was reloaded", **_summary(config))

    async def _until_complete(self, app: App, polling: asyncio.Task[None]) -> None:
        """Wait until all jobs were read by the new polls; not for ever, and not for a target that fails unless it was
        up before. Raises what ended the new polls."""
        old = self._open()
        up = {runner.spec.key for runner in old.runners if runner.health.up}
        patience = self._clock.monotonic() + _patience(app.config, old)
        while (missing := app.incomplete(up)) and self._clock.monotonic() < patience:
            if polling.done():
                polling.result()
            await self._clock.sleep(_LOOK)
        if missing:
            _log.warning("the reload does not wait any longer for every job to be read", targets=", ".join(missing))

    async def _show(self, config: Config, app: App, polling: asyncio.Task[None]) -> None:
        old, earlier = self._open(), self._polling
        app.reload_ok = old.reload_ok
        self._config, self._app, self._polling = config, app, polling
        if earlier:
            await _stop(earlier)

    async def _abandon(self) -> None:
        """Give up a reload whose configuration is not shown yet."""
        if self._switching:
            await _stop(self._switching)

    async def keep_garbage_rare(self) -> None:
        """From when every job was read once until cancelled: what is there then is there to stay."""
        while self._open().waiting():
            await self._clock.sleep(_LOOK)
        await self._garbage.set_aside_for_ever(self._clock)

    def _poll(self, config: Config, ledger: Ledger, earlier: App | None = None) -> tuple[App, asyncio.Task[None]]:
        app = App(config, self._clock, ledger, earlier)
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
        """End the exporter with its polls; those of a reload that is not shown yet only fail the reload."""
        error = None if task.cancelled() else task.exception()
        if error and task is self._polling and self.ended and not self.ended.done():
            self.ended.set_exception(error)


async def serve_until_stopped(
    service: Service,
    lifecycle: bool,
    security: WebSecurity | None,
    bound: Callable[[tuple[tuple[str, int], ...]], None],
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads. Raises ListenError, StoreError."""
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

    _log.info("starting", version=__version__, **_summary(service.config))
    web = service.config.web
    async with AsyncExitStack() as stack:
        stack.enter_context(handled({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}))
        await service.start()
        stack.push_async_callback(service.stop)
        options = WebOptions(web.listen_addresses, web.telemetry_path, lifecycle, web.prefix, web.external_path)
        bound(await stack.enter_async_context(serve(service, options, security=security)))
        # The server waits for its answers when it ends.
        stack.push_async_callback(service.stop_reloads)
        stack.push_async_callback(_stop, loop.create_task(service.keep_garbage_rare()))
        await ended


def _summary(config: Config) -> dict[str, str | int]:
    """What is polled and how, for the log."""
    tags = ("tags",) if config.jobs.tags or config.totals.by_tags else ()
    prices = () if config.prices.source == "none" else ("prices",)
    return {
        "targets": len(target_specs(config)),
        "strategy": config.polling.strategy,
        "state": config.state.path or "memory",
        "sources": ",".join(("jobs", *tags, *prices)),
    }


def _patience(config: Config, old: App) -> float:
    """How long a reload waits at most. Old and new polls share the limits of a target, and each may need two calls for
    a job."""
    jobs = max((len(runner.poller.tracker) for runner in old.runners if runner.poller), default=0)
    return _PATIENCE + 4 * jobs / config.polling.describe_rps


async def _reload(service: Service) -> None:
    try:
        await service.reload()
    except ReloadError:
        return


def _mistake(error: Exception) -> str:
    return f"internal error ({where(error)}), please report it"


def _retrieve(switching: asyncio.Task[None]) -> None:
    """Whoever asked for the reload may not wait for it any more; the log has what it raised."""
    if not switching.cancelled():
        switching.exception()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
