"""Runs the exporter: an application behind the HTTP server, which a reload replaces with a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress

from exporter.app import App
from exporter.clock import Clock
from exporter.config import Config, ConfigError
from exporter.ledger.ledger import Ledger
from exporter.process.garbage import Garbage
from exporter.process.logs import Log
from exporter.process.reloads import Reloads, StoppedError
from exporter.process.stopping import stop_task
from exporter.replicas.leases import Leases, SingleProcess
from exporter.web import page
from exporter.web.answers import where
from exporter.web.routes import ReloadError
from exporter.web.status import job_status, status
from exporter.wiring.state import leases_of, open_state
from exporter.wiring.targets import target_specs

_log = Log(__name__)
# All in seconds. The interval of checks whether every job was read once.
_LOOK = 0.1
# How long a reload waits for failing targets, so that an outage of a minute does not remove series.
_PATIENCE = 180.0
# How long a request to reload waits for the new configuration to be active: HTTP clients have timeouts.
_ANSWER = 8.0
# The pause between two loads of the configuration.
_PAUSE = 1.0


class Service:
    """Implements `exporter.web.routes.Exporter`. `load` reads the configuration; it raises ConfigError, also for a
    change of `web` or `state` after the first time."""

    def __init__(self, load: Callable[[], Config], clock: Clock) -> None:
        self._load, self._clock = load, clock
        self._config = load()
        self._stack = AsyncExitStack()
        self._leases: Leases = SingleProcess()
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
        """Open the ledger and start polling. Raises StoreError."""
        config = self._config
        ledger = await self._stack.enter_async_context(open_state(config, self._clock))
        self._leases = leases_of(ledger, self._clock)
        self._leases.on_loss(lambda: self._open().hide())
        self._app, self._polling = self._poll(config, ledger)
        self._stack.push_async_callback(stop_task, asyncio.create_task(self._look()))
        self._started.set()

    async def _look(self) -> None:
        await self._open().named()
        await self._leases.run()

    async def stop_reloads(self) -> None:
        """Reject reloads from now on, including those in progress."""
        await self._reloads.stop()
        await self._abandon()

    async def stop(self) -> None:
        """Stop polling and close the ledger."""
        await self.stop_reloads()
        if self._polling:
            await stop_task(self._polling)
        await self._stack.aclose()

    async def reload(self) -> None:
        """Read the configuration again and apply it. Concurrent requests share one load.

        Returns when the new configuration is active, or after some seconds if it will be once every job was read.
        Raises ReloadError for an unusable configuration; the old one then stays active.
        """
        try:
            await self._reloads.request()
        except StoppedError as error:
            raise ReloadError("the exporter is stopping") from error
        if switching := self._switching:
            await asyncio.wait([switching], timeout=_ANSWER)
            if switching.done() and not switching.cancelled():
                switching.result()

    async def try_reload(self) -> None:
        """Reload; the reason of a failure was logged."""
        with suppress(ReloadError):
            await self.reload()

    async def _pause(self) -> None:
        await self._clock.sleep(_PAUSE)

    async def _reload(self) -> None:
        # A SIGHUP may arrive before the first application exists.
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
        """Log and export that a reload failed; return the error to raise."""
        self._open().reload_ok = False
        for fields in problems or [{"problem": why}]:
            _log.error("configuration not reloaded; keeping the previous one", **fields)
        return ReloadError(why)

    async def _begin_to_switch(self) -> None:
        config = self._load()
        self._open().reload_ok = True
        if self._switching and not self._switching.done() and config == self._coming:
            return
        # A newer configuration replaces one that is not active yet.
        await self._abandon()
        old = self._open()
        app, polling = self._poll(config, old.ledger, old)
        old.ledger.backfill = config.totals.backfill
        self._coming = config
        self._switching = asyncio.create_task(self._switch(config, app, polling))
        self._switching.add_done_callback(_retrieve)

    async def _switch(self, config: Config, app: App, polling: asyncio.Task[None]) -> None:
        """Activate a new configuration once its pollers have read every job, so that a reload leaves no gap in series.

        Until then they run beside the old ones; the ledger counts each job once in any case. Raises ReloadError if they
        fail; the old ones then continue.
        """
        try:
            await self._until_complete(app, polling)
            app.take_over()
        except BaseException as error:
            await stop_task(polling)
            self._open().share()
            if isinstance(error, Exception):
                raise self._refused(_mistake(error)) from error
            raise
        await self._show(config, app, polling)
        # The old application is unreferenced now, but frozen: only a full collection frees it.
        self._garbage.collect()
        _log.info("configuration reloaded", **summary(config))

    async def _until_complete(self, app: App, polling: asyncio.Task[None]) -> None:
        """Wait until the new pollers have read all jobs, with a timeout. Failing targets are awaited only if they were
        up before. Raises what ended the new pollers."""
        old = self._open()
        up = {runner.spec.key for runner in old.runners if runner.health.up}
        patience = self._clock.monotonic() + _patience(app.config, old)
        while (missing := app.incomplete(up)) and self._clock.monotonic() < patience:
            if polling.done():
                polling.result()
            await self._clock.sleep(_LOOK)
        if missing:
            _log.warning("reload timed out waiting for jobs to be read; applying it anyway", targets=", ".join(missing))

    async def _show(self, config: Config, app: App, polling: asyncio.Task[None]) -> None:
        old, earlier = self._open(), self._polling
        app.reload_ok = old.reload_ok
        self._config, self._app, self._polling = config, app, polling
        app.share()
        if earlier:
            await stop_task(earlier)

    async def _abandon(self) -> None:
        """Cancel a reload whose configuration is not active yet."""
        if self._switching:
            await stop_task(self._switching)

    async def keep_garbage_rare(self) -> None:
        """Control garbage collection once every job was read, until cancelled."""
        # Objects of the first sync are short-lived; the ones that exist afterwards stay.
        while self._open().waiting():
            await self._clock.sleep(_LOOK)
        await self._garbage.set_aside_for_ever(self._clock)

    def _poll(self, config: Config, ledger: Ledger, earlier: App | None = None) -> tuple[App, asyncio.Task[None]]:
        app = App(config, self._clock, ledger, earlier, self._leases)
        # Until a reload is over, the targets of both configurations are polled.
        app.share(*([earlier] if earlier else []))
        task = asyncio.create_task(app.run())
        task.add_done_callback(self._poll_ended)
        return app, task

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        self._leases.check()
        return self._open().board.metrics(openmetrics, gzip)

    def ready(self) -> tuple[bool, str]:
        waiting = self._open().waiting()
        return not waiting, f"waiting for {', '.join(waiting)}" if waiting else "ready"

    def status(self) -> page.Status:
        return status(self._open(), self._clock.time())

    def job(self, account: str, region: str, name: str) -> page.JobStatus:
        return job_status(self._open(), self._clock.time(), account, region, name)

    def _open(self) -> App:
        if self._app is None:
            raise RuntimeError("the service has not been started")
        return self._app

    def _poll_ended(self, task: asyncio.Task[None]) -> None:
        """End the exporter when its polling failed. Pollers of a reload that is not active yet only fail the reload."""
        error = None if task.cancelled() else task.exception()
        if error and task is self._polling and self.ended and not self.ended.done():
            self.ended.set_exception(error)


def summary(config: Config) -> dict[str, str | int]:
    """Return what is polled and how, as fields of a log line."""
    tags = ("tags",) if config.jobs.tags or config.totals.by_tags else ()
    prices = () if config.prices.source == "none" else ("prices",)
    quotas = ("quotas",) if config.quotas.interval else ()
    cloudwatch = ("cloudwatch",) if config.cloudwatch.enabled else ()
    return {
        "targets": len(target_specs(config)),
        "strategy": config.polling.strategy,
        "state": config.state.name,
        "sources": ",".join(("jobs", *tags, *prices, *quotas, *cloudwatch)),
    }


def _patience(config: Config, old: App) -> float:
    """Return how long a reload waits at most, in seconds. Old and new pollers share the rate limits of a target, and
    each may need two calls per job."""
    jobs = max((len(runner.poller.tracker) for runner in old.runners if runner.poller), default=0)
    return _PATIENCE + 4 * jobs / config.polling.describe_rps


def _mistake(error: Exception) -> str:
    return f"internal error ({where(error)}), please report it"


def _retrieve(switching: asyncio.Task[None]) -> None:
    """Mark the exception of a reload as retrieved: it was logged, and its request may be gone."""
    if not switching.cancelled():
        switching.exception()
