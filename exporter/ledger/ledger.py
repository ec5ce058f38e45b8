"""The totals: each job is accounted for exactly once, whatever happens in between.

A total is shown only after it is on disk, so a killed process never shows less than before. What cannot be written
waits in memory and is tried again with the next reading.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from operator import lt
from types import TracebackType
from typing import TypeVar

from exporter.ledger.accounting import Batch, Changes, Reading, account, forget, is_closed
from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.sqlite import Account, Store, Tables, Target, TargetMarks
from exporter.ledger.statefile import Connect, StateError
from exporter.logs import Log
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob

_log = Log(__name__)
_T = TypeVar("_T")


class Ledger:
    """Open with `async with`. All methods are for the event loop; the disk is touched in a thread of its own."""

    def __init__(
        self,
        path: str,
        time: Callable[[], float],
        backfill: float = 0.0,
        connect: Connect = sqlite3.connect,
    ) -> None:
        self._path, self._time, self._connect = path, time, connect
        self.backfill = backfill
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._pending: dict[Identity, Reading] = {}
        self._begun: set[Target] = set()
        self._in_doubt = False
        # Why writing fails now; empty while it works.
        self._reasons: set[str] = set()
        self._totals: dict[Target, dict[SeriesKey, Series]] = {}
        self._marks: dict[Target, TargetMarks] = {}
        self.write_errors = 0
        self.last_write: float | None = None
        self.last_error: str | None = None

    async def __aenter__(self) -> Ledger:
        """Raises StateError where the file cannot be used."""
        try:
            self._show(await self._blocking(self._open))
        except sqlite3.Error as error:
            self._thread.shutdown()
            raise StateError(f"{self._path}: cannot be read: {error}") from error
        except StateError:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.apply(())
        await self._blocking(self._store.close)
        self._thread.shutdown()

    @property
    def baseline(self) -> float:
        """Jobs that ended before do not count."""
        return self._store.first_start - self.backfill

    @property
    def pending(self) -> int:
        """Readings that could not be written yet."""
        return len(self._pending)

    def totals(self, target: Target) -> Mapping[SeriesKey, Series]:
        """The totals of a target; a new mapping whenever one changed."""
        return self._totals.get(target, {})

    def targets(self) -> list[Target]:
        """All targets that ever counted anything, also those that are no longer configured."""
        return list(self._totals)

    def marks(self, target: Target) -> TargetMarks:
        return self._marks.get(target, TargetMarks())

    async def begin(self, target: Target) -> None:
        """Give a target its known series, with 0; where they cannot be written, with the next readings."""
        self._begun.add(target)
        await self.apply(())

    async def apply(self, readings: Iterable[Reading], discovered: Mapping[Target, float] | None = None) -> None:
        """Account for new readings of jobs, in one transaction; and note up to which creation time all jobs of a
        target are known. Never raises for the disk: see `write_errors`."""
        for reading in readings:
            earlier = self._pending.get(reading.identity)
            self._pending[reading.identity] = earlier.merged(reading) if earlier else reading
        batch = Batch(dict(self._pending), frozenset(self._begun), discovered or {})
        if not batch:
            return
        if await self._write(lambda tables: account(tables, batch, self.baseline, self._time())):
            self._begun -= batch.begun
            for identity, reading in batch.readings.items():
                if self._pending.get(identity) is reading:
                    del self._pending[identity]

    async def closed(self, jobs: Iterable[TrainingJob]) -> set[Identity]:
        """Which of these need not be read for the totals: settled and unchanged since, ended before everything
        that counts, or forgotten."""
        jobs = list(jobs)
        recorded = await self._blocking(lambda: self._recorded([job.identity for job in jobs]))
        return {
            job.identity
            for job in jobs
            if is_closed(job, recorded.get(job.identity), self.marks((job.account, job.region)), self.baseline)
        }

    async def open_jobs(self, target: Target) -> list[Identity]:
        """The jobs of a target that were not settled when the exporter last saw them."""
        return await self._blocking(lambda: self._unfinished(target))

    async def recorded(self, identities: Iterable[Identity]) -> dict[Identity, Facts]:
        """What is recorded of these jobs; without those nobody knows, and empty where the disk cannot be read now."""
        wanted = list(identities)
        accounts = await self._blocking(lambda: self._recorded(wanted))
        return {identity: account.facts for identity, account in accounts.items()}

    async def forget(self, target: Target, lookback: float, now: float, followed: Iterable[Identity] = ()) -> None:
        """Drop what no listing of this target can bring back; `now` is AWS's clock. Only right after a full listing:
        whatever is older, not recorded and not `followed` then never has to be."""
        awaited = {*followed, *(i for i in self._pending if (i.account, i.region) == target)}
        await self._write(lambda tables: forget(tables, target, lookback, now, awaited))

    def _unfinished(self, target: Target) -> list[Identity]:
        try:
            with self._store.tables() as tables:
                return tables.open_jobs(target)
        except (sqlite3.Error, StateError):
            # The first listing, which is a full one, finds them too.
            return []

    def _recorded(self, identities: list[Identity]) -> dict[Identity, Account]:
        try:
            with self._store.tables() as tables:
                return tables.jobs(identities)
        except (sqlite3.Error, StateError):
            # Unreadable for now: everything will be read again, which is never wrong.
            return {}

    def _open(self) -> Changes:
        self._store = Store(self._path, self._time(), self._connect)
        try:
            return self._everything()
        except (sqlite3.Error, StateError):
            self._store.close()
            raise

    def _everything(self) -> Changes:
        with self._store.tables() as tables:
            return Changes.everything(tables)

    def _transact(self, change: Callable[[Tables], Changes], in_doubt: bool) -> Changes:
        with self._store.transaction() as tables:
            if in_doubt:
                self._compare(tables)
            changes = change(tables)
        # A COMMIT that failed, or that nobody waited for, may be on disk all the same.
        return self._everything() if in_doubt else changes

    def _compare(self, tables: Tables) -> None:
        """A total never goes down: whoever exchanged the state while it could not be written is told."""
        held = tables.series()
        for target, totals in list(self._totals.items()):
            for key, series in totals.items():
                found = held.get(target, {}).get(key)
                if found is None or any(map(lt, found.shown, series.shown)):
                    raise StateError(
                        f"{self._path}: has less than was counted, as an older copy has; put the newer one back, or "
                        "restart to go on from this one"
                    )

    async def _write(self, change: Callable[[Tables], Changes]) -> bool:
        """Run a transaction and show what it changed; count and keep the error where it could not be written."""
        in_doubt = self._in_doubt
        try:
            changes = await self._blocking(lambda: self._transact(change, in_doubt))
        except (sqlite3.Error, StateError) as error:
            self._failed(str(error))
            return False
        except asyncio.CancelledError:
            self._in_doubt = True
            raise
        if in_doubt:
            self._in_doubt = False
        self._show(changes)
        self.last_write, self.last_error = self._time(), None
        if self._reasons:
            _log.info("the totals are written again")
            self._reasons.clear()
        return True

    def _failed(self, reason: str) -> None:
        """Count and keep an error; log each reason once until writing works again."""
        self.write_errors += 1
        self.last_error, self._in_doubt = reason, True
        if reason not in self._reasons:
            self._reasons.add(reason)
            _log.error("the totals cannot be written and stand still, what is read waits in memory", reason=reason)

    def _show(self, changes: Changes) -> None:
        for target, series in changes.series.items():
            self._totals[target] = {**self._totals.get(target, {}), **series}
        self._marks.update(changes.marks)

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
