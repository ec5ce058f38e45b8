"""Polls one target: finds its jobs, reads those that are due, and updates the ledger and the board.

Its loops are discovery by creation time, reading job by job, retrying refused jobs and, with `strategy: search`, sweeps
over the active jobs. While sweeps work they read every active job, and only jobs that the index lacks are described.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.api import SEARCH, Api, ApiError
from exporter.polling.describer import Describer
from exporter.polling.discovery import OVERLAP, Discovery
from exporter.polling.first_sync import FirstSync
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.listing import Listing
from exporter.polling.paging import pages
from exporter.polling.recording import Display, Recording
from exporter.polling.repeating import random_phase, repeat
from exporter.polling.settings import PollerSettings
from exporter.polling.tracker import TrackedJob, Tracker
from exporter.process.logs import Log
from exporter.training.active import UNKNOWN
from exporter.training.job import TrainingJob

_log = Log(__name__)
# How often due jobs are looked up, in seconds: often enough that a short interval does not cause bursts.
_TICK, _TICKS_AN_INTERVAL = 1.0, 20
# Seconds before the lookback: a job that cannot be read is dropped when it was created earlier than that.
_PATIENCE = 60 * 86400.0


class Poller:
    """Polls one target whose account is resolved."""

    def __init__(
        self,
        target: Target,
        api: Api,
        settings: PollerSettings,
        tracker: Tracker,
        intake: Intake,
        ledger: Ledger,
        display: Display,
        health: Health,
        clock: Clock,
    ) -> None:
        self._target, self._name, self._api, self._settings = target, "/".join(target), api, settings
        self.tracker, self._intake, self._ledger, self._display = tracker, intake, ledger, display
        self.health, self.failures, self._clock = health, intake.failures, clock
        self._recording = Recording(target, ledger, intake, tracker, display, clock)
        marked = ledger.marks(target).discovered_until or None
        self._listing = Listing(api, intake.parse)
        self._discovery = Discovery(settings.lookback, marked, health.calls.refused)
        self._describer = Describer(self._name, api, tracker, intake, health, clock, settings.workers, self._publish)
        self.first_sync = FirstSync(settings.active_interval)
        self._search = settings.search
        self._next_resync = 0.0
        self.next_discovery: float | None = None
        self.tried = asyncio.Event()

    async def run(self) -> None:
        """Poll until cancelled."""
        await self._begin()
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._discover_for_ever())
            loops.create_task(self._read_for_ever())
            loops.create_task(self._retry_for_ever())
            if self._search:
                loops.create_task(self._sweep_for_ever())

    async def once(self) -> bool:
        """Poll everything once; return whether all succeeded. If discovery fails, the jobs found so far are read."""
        await self._begin()
        await self.discover()
        while not self.health.fails("reading") and (names := self.tracker.due(self._clock.monotonic())):
            await self._read(names, thorough=True)
        await self._recording.catch_up()
        self._report()
        return bool(self.health.up) and all(f.read and f.job.cost_tags is not None for f in self.tracker.jobs())

    async def price(self) -> None:
        """Price the jobs that had no price so far. Called when prices have come."""
        await self._recording.price()
        self._report()

    async def discover(self) -> None:
        """Find the jobs created since the last discovery, and once per resync interval all within the lookback."""
        began = self._clock.monotonic()
        self.next_discovery = self._clock.time() + self._settings.discovery_interval
        # A long walk that failed is resumed before another one begins.
        everything = self._discovery.rejects_until(self._api.now()) or began >= self._next_resync
        full = everything and self._discovery.gap is None
        try:
            await self._walk(everything and self._search, full)
        except ApiError as error:
            if self._falls_back(error):
                await self.discover()
                return
            self.health.failed("discovery", error)
            self.first_sync.undiscovered()
        else:
            self.health.succeeded("discovery")
            self.health.poll_seconds = self._clock.monotonic() - began
            await self._discovered(everything, began)
            if everything and self._search:
                # A walk through the index is a sweep too: describe what it did not show.
                self._have_described(f for f in self.tracker.jobs() if not f.read)
            self.first_sync.discovered(self.tracker.jobs(), self._clock.monotonic())
        self.tried.set()
        self._report()

    async def _walk(self, by_search: bool, full: bool) -> None:
        recent = self._listing.recent
        history = self._listing.history if by_search else recent
        pages = 0
        async for found in self._discovery.walk(self._api.now, recent, history, full):
            pages += 1
            if not self.tried.is_set():
                self.health.first_sync = f"{pages} pages read"
            await self._found(found.jobs, from_index=found.source != recent)

    async def sweep(self) -> None:
        """Read all active jobs by Search, and describe those that it does not show."""
        if not self._search:
            return
        try:
            seen = await self._active_in_index()
        except ApiError as error:
            if not self._falls_back(error):
                self.health.failed("search", error)
                # The next sweep may still be in time; otherwise jobs are described by turns.
                self.tracker.resume_polling(self._clock.monotonic() + self._settings.active_interval)
        else:
            self.health.succeeded("search")
            unseen = (f for f in self.tracker.jobs() if f.job.name not in seen)
            self._have_described(f for f in unseen if not (f.job.terminal and f.read))
        self._report()

    async def _active_in_index(self) -> set[str]:
        seen: set[str] = set()
        async for page in pages(self._listing.active, self.health.calls.refused):
            seen.update(job.name for job in page.jobs)
            await self._found(page.jobs, from_index=True)
        return seen

    def _have_described(self, tracked: Iterable[TrackedJob]) -> None:
        at = self._clock.monotonic()
        for one in tracked:
            self.tracker.read_now(one.job.name, at)

    async def _begin(self) -> None:
        await self._recording.begin(math.inf if self._search else self._clock.monotonic())
        self._report()

    async def _discovered(self, full: bool, began: float) -> None:
        self.health.first_sync = None
        if full:
            self._give_up()
        until, marked = self._recorded_until(), self._ledger.marks(self._target).discovered_until
        # A restart may list some minutes more than it needs to; a write at each discovery would cost more.
        if until is not None and (full or abs(until - marked) >= OVERLAP):
            await self._ledger.apply((), {self._target: until})
        if full:
            self.failures.explain(await self._ledger.recorded(self.failures.unexplained()) or {})
            self._next_resync = began + self._settings.resync_interval
            self._describer.resync()
            if not self._api.doubts_now():
                tracked = [one.job.identity for one in self.tracker.jobs()]
                await self._ledger.forget(self._target, self._settings.lookback, self._api.now(), tracked)

    def _recorded_until(self) -> float | None:
        """Return up to which creation time the ledger has every job, or None. A job that was found and not read yet
        must be found again after a crash, however late the restart."""
        if self._discovery.until is None:
            return None
        unread = (f.job.created for f in self.tracker.jobs() if not f.read or f.job.cost_tags is None)
        known = (self._discovery.until, self._api.now())
        return min((*known, *(created for created in unread if created is not None)))

    def _give_up(self) -> None:
        """Drop jobs that could not be read for months: otherwise each restart would have to list further back."""
        created_before = self._api.now() - self._settings.lookback - _PATIENCE
        for name in self.tracker.refused_since(created_before):
            _log.warning("a job could never be read; the totals do not include it", target=self._name, job=name[:100])
            self.tracker.drop(name)
            self._display.gone(self._target, name)

    async def _found(self, listed: Sequence[TrainingJob], from_index: bool) -> None:
        """Take in a page of jobs: track those that need it, and read those that came from the index."""
        jobs = [job for job in listed if job.created is not None]
        closed = await self._ledger.closed(jobs)
        now, at, updates = self._api.now(), self._clock.monotonic(), Updates.none()
        for job in jobs:
            if self.tracker.should_track(job, job.identity in closed, now):
                # The next sweep reads a new job that is active.
                self._intake.track(job, math.inf if self._search and not job.terminal else at, updates)
            if from_index:
                self._intake.indexed(job, now, at, updates, doubtful=self._api.doubts_now())
            else:
                self._intake.listed(job, updates)
        await self._publish(updates)

    async def _retry_for_ever(self) -> None:
        """Retry refused jobs in a loop of their own, so that they do not delay the others."""
        while True:
            await self._describer.retry(self.tracker.due(self._clock.monotonic(), refused=True))
            await self._clock.sleep(self._settings.active_interval / 2)

    async def _read_for_ever(self) -> None:
        tick = min(_TICK, self._settings.active_interval / _TICKS_AN_INTERVAL)
        while True:
            before = self.health.up, self.first_sync.over
            await self._recording.catch_up()
            if names := self.tracker.due(self._clock.monotonic()):
                await self._read(names)
            elif self.tracker.next_due() == math.inf:
                self.health.settled("reading")
            if self.health.fails("reading"):
                self.first_sync.unread(self._clock.monotonic())
            expired = self.tracker.expired(self._api.now())
            for name in expired:
                self.tracker.drop(name)
                self._display.gone(self._target, name)
            if expired or (self.health.up, self.first_sync.over) != before:
                self._report()
            await self._clock.sleep(tick)

    async def _discover_for_ever(self) -> None:
        interval = self._settings.discovery_interval
        await self.discover()
        await self._clock.sleep(random_phase(interval))
        await repeat(self.discover, interval, self._clock)

    async def _sweep_for_ever(self) -> None:
        """Sweep at the active interval, after the first discovery, which reads the active jobs too."""
        interval = self._settings.active_interval
        await self.tried.wait()
        await self._clock.sleep(random_phase(interval))
        await repeat(self.sweep, interval, self._clock)

    async def _read(self, names: Sequence[str], thorough: bool = False) -> None:
        """Describe these jobs."""
        await self._describer.read(names, thorough)
        # Each was tried, unless the target failed during the round.
        if not self.health.fails("reading"):
            self.first_sync.was_read(frozenset(names))

    async def _publish(self, updates: Updates) -> None:
        await self._recording.publish(updates)
        self.first_sync.was_read()
        self._report()

    def _falls_back(self, error: ApiError) -> bool:
        """Return whether Search is denied; if so, describe all jobs from now on."""
        if not error.denied or error.operation != SEARCH:
            return False
        _log.warning("search is denied; describing jobs instead", target=self._name, **error.fields)
        self._search = False
        self.tracker.resume_polling(self._clock.monotonic())
        self.health.noticed(error)
        self.health.settled("search")
        return True

    def _report(self) -> None:
        """Show the counts and the health of the target. Until jobs were listed or read, the counts are unknown."""
        sync = self.first_sync
        counts = self.tracker.counts(sync.over, sync.complete) if sync.listed else UNKNOWN
        self._display.target(self._target, counts, self.health, len(self.tracker))
