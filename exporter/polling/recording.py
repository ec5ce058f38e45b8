"""Records what a poller reads in the ledger, and shows it with the prices that the ledger keeps with each job.

While the store fails, jobs are shown without what it would say. Once writing works again, that is made up for:
unfinished jobs of an earlier run are tracked, and jobs get the prices that they were recorded with meanwhile.
"""

from __future__ import annotations

from typing import Protocol

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.tracker import Tracker
from exporter.training.active import ActiveCounts
from exporter.training.cost import Rates
from exporter.training.job import TrainingJob

# How many records are read at a time, so that showing thousands of jobs does not block the event loop.
_AT_ONCE = 100
# Seconds between two attempts to write what could not be written.
_RETRY = 30.0


class Display(Protocol):
    """Receives the jobs and the health that a poller reads, to export them."""

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None: ...

    def priced(self, job: TrainingJob, rates: Rates) -> None: ...

    def gone(self, target: Target, name: str) -> None: ...

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None: ...


class Recording:
    """Records and shows the jobs of one target."""

    def __init__(
        self, target: Target, ledger: Ledger, intake: Intake, tracker: Tracker, display: Display, clock: Clock
    ) -> None:
        self._target, self._ledger, self._intake = target, ledger, intake
        self._tracker, self._display, self._clock = tracker, display, clock
        # Whether unfinished jobs of an earlier run are still to be tracked, and from which monotonic time they are due.
        self._resumes, self._due = False, 0.0
        # Whether jobs may be shown without prices that they were recorded with.
        self._behind = False
        self._next_retry = 0.0

    async def begin(self, due: float) -> None:
        """Begin with the target, and track the jobs that an earlier run left unfinished, due at that monotonic time."""
        await self._ledger.begin(self._target)
        self._resumes, self._due = True, due
        await self._resume()

    async def publish(self, updates: Updates) -> None:
        """Record and show what was read."""
        # The ledger first: the rates that a job is shown with are those that it was recorded with.
        recorded = await self._ledger.apply(updates.readings) if updates.readings else {}
        self._behind |= bool(updates.readings) and self._ledger.last_error is not None
        for job in updates.jobs.values():
            # Its retention may have ended during the write.
            if self._tracker.get(job.name):
                facts = recorded.get(job.identity)
                self._display.job(job, facts.rates if facts else None)
        for name in updates.gone:
            self._display.gone(self._target, name)

    async def price(self) -> None:
        """Price the jobs that had no price so far, and show all recorded prices: others may have written some."""
        await self._ledger.price(self._target)
        self._behind = True
        await self.catch_up()

    async def catch_up(self) -> None:
        """Make up for what could not be written or read, if writing works again. Call it often."""
        if not self._resumes and not self._behind:
            return
        if self._ledger.last_error is not None and self._next_retry <= self._clock.monotonic():
            # In a quiet fleet nothing else may be written for a long time.
            self._next_retry = self._clock.monotonic() + _RETRY
            await self._ledger.apply(())
        if self._ledger.last_error is not None:
            return
        if self._resumes:
            # No later sweep may show them: the search may be denied by now.
            self._due = self._clock.monotonic()
            await self._resume()
        if self._behind:
            self._behind = False
            await self._show_prices()

    async def _resume(self) -> None:
        unfinished = await self._ledger.open_jobs(self._target)
        if unfinished is None:
            return
        self._resumes, updates = False, Updates.none()
        self._intake.resume(unfinished, await self._ledger.recorded(unfinished) or {}, self._due, updates)
        await self.publish(updates)

    async def _show_prices(self) -> None:
        identities = [tracked.job.identity for tracked in self._tracker.jobs()]
        for first in range(0, len(identities), _AT_ONCE):
            found = await self._ledger.recorded(identities[first : first + _AT_ONCE])
            if found is None:
                self._behind = True
                return
            for identity, facts in found.items():
                tracked = self._tracker.get(identity.name)
                if tracked and tracked.job.identity == identity:
                    self._display.priced(tracked.job, facts.rates)
