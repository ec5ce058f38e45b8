"""The totals: each job is accounted for exactly once, whatever happens in between.

A total is shown only after it is on disk, so a killed process never shows less than before. What cannot be written
waits in memory and is tried again with the next reading.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from exporter import store
from exporter.contributions import Amounts, Series, SeriesKey, add, difference, known_series, zero
from exporter.facts import Facts
from exporter.job import Identity, TrainingJob
from exporter.store import Account, Connect, StateError, Store, Target, TargetMarks

_T = TypeVar("_T")
_DAY = 86400.0
# A job lives at most 30 days, and its warm pool less than one more.
_LONGEST_LIFE = 32 * _DAY


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of a job for the ledger. `over_since` is None while the job runs; a `settled` job will not change
    any more."""

    identity: Identity
    facts: Facts
    over_since: float | None
    settled: bool

    @classmethod
    def of(cls, job: TrainingJob, settled: bool) -> Reading:
        return cls(job.identity, Facts.of(job), job.over_since, settled)

    @classmethod
    def last(cls, identity: Identity) -> Reading:
        """Nothing new, and nothing to come: the job is gone."""
        return cls(identity, Facts(identity.created_ms / 1000, (), {}), None, settled=True)

    def merged(self, other: Reading) -> Reading:
        over = max((t for t in (self.over_since, other.over_since) if t is not None), default=None)
        return Reading(self.identity, self.facts.merged(other.facts), over, self.settled or other.settled)


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a transaction changed, to be shown once it is on disk."""

    series: Mapping[Target, Mapping[SeriesKey, Series]]
    marks: Mapping[Target, TargetMarks]


@dataclass(frozen=True, slots=True)
class _Books:
    """A transaction in the making: what is to be added to each series, and what each job will have been."""

    deltas: dict[Target, dict[SeriesKey, Amounts | None]]
    accounts: dict[Identity, Account]

    def enter(self, reading: Reading, old: Facts | None) -> None:
        new = old.merged(reading.facts) if old else reading.facts
        deltas = self.deltas.setdefault((reading.identity.account, reading.identity.region), {})
        if old is None and new.cost_tags:
            for key in known_series(new.cost_tags):
                deltas.setdefault(key, None)
        for key, delta in difference(new, old):
            earlier = deltas.get(key)
            deltas[key] = add(earlier, delta) if earlier else delta
        self.accounts[reading.identity] = Account(new, reading.settled)


def _summed(
    db: sqlite3.Connection, target: Target, deltas: Mapping[SeriesKey, Amounts | None], now: float
) -> dict[SeriesKey, Series]:
    """Add to the series on disk, and start those that are not there."""
    there = store.read_series(db, target, deltas)
    changed = {}
    for key, delta in deltas.items():
        if key not in there:
            changed[key] = Series(zero(key), zero(key), now).plus(delta or zero(key))
        elif delta and any(delta):
            changed[key] = there[key].plus(delta)
    store.write_series(db, target, changed)
    return changed


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
        self._totals: dict[Target, dict[SeriesKey, Series]] = {}
        self._marks: dict[Target, TargetMarks] = {}
        self.write_errors = 0
        self.last_write: float | None = None
        self.last_error: str | None = None

    async def __aenter__(self) -> Ledger:
        """Raises StateError where the file cannot be used."""
        try:
            self._store = await self._blocking(lambda: Store(self._path, self._time(), self._connect))
            self._totals = await self._blocking(self._store.series)
            self._marks = await self._blocking(self._store.targets)
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
        batch, begun = dict(self._pending), frozenset(self._begun)
        if not batch and not begun and not discovered:
            return
        if await self._write(lambda: self._account(batch, begun, discovered or {})):
            self._begun -= begun
            for identity, reading in batch.items():
                if self._pending.get(identity) is reading:
                    del self._pending[identity]

    async def closed(self, jobs: Iterable[TrainingJob]) -> set[Identity]:
        """Which of these need not be read for the totals: settled and unchanged since, ended before everything
        that counts, or forgotten."""
        jobs = list(jobs)
        recorded = await self._blocking(lambda: self._recorded([job.identity for job in jobs]))
        return {job.identity for job in jobs if self._is_closed(job, recorded.get(job.identity))}

    async def open_jobs(self, target: Target) -> list[Identity]:
        """The jobs of a target that were not settled when the exporter last saw them."""
        return await self._blocking(lambda: self._unfinished(target))

    async def forget(self, target: Target, lookback: float) -> None:
        """Drop what no listing of this target can bring back. Only right after a full listing: whatever is older
        and not recorded then never has to be."""
        now = self._time()
        before = now - max(lookback, _LONGEST_LIFE)
        await self._write(lambda: self._forget(target, before))

    def _is_closed(self, job: TrainingJob, account: Account | None) -> bool:
        if account is None:
            over = job.over_since
            return over is not None and (over < self.baseline or self._forgotten(job.identity))
        return account.settled and (job.modified or 0.0) <= account.facts.modified

    def _forgotten(self, identity: Identity) -> bool:
        return identity.created_ms <= self.marks((identity.account, identity.region)).forgotten_ms

    def _unfinished(self, target: Target) -> list[Identity]:
        try:
            return self._store.open_jobs(target)
        except (sqlite3.Error, StateError):
            # The first listing, which is a full one, finds them too.
            return []

    def _recorded(self, identities: list[Identity]) -> dict[Identity, Account]:
        try:
            return self._store.jobs(identities)
        except (sqlite3.Error, StateError):
            # Unreadable for now: everything will be read again, which is never wrong.
            return {}

    def _account(
        self,
        batch: Mapping[Identity, Reading],
        targets: Iterable[Target],
        discovered: Mapping[Target, float],
    ) -> _Changes:
        now = self._time()
        with self._store.transaction() as db:
            marks = store.read_marks(db, {(i.account, i.region) for i in batch} | set(discovered))
            books = _Books({target: dict.fromkeys(known_series(())) for target in targets}, {})
            recorded = store.read_jobs(db, batch)
            for identity, reading in batch.items():
                account = recorded.get(identity)
                if account or (reading.facts.known and self._counts(reading, marks)):
                    books.enter(reading, account.facts if account else None)
            store.write_jobs(db, books.accounts)
            series = {target: _summed(db, target, deltas, now) for target, deltas in books.deltas.items()}
            for target, until in discovered.items():
                store.mark_discovered(db, target, until)
                marks[target] = marks[target]._replace(discovered_until=until)
        return _Changes(series, marks)

    def _counts(self, reading: Reading, marks: Mapping[Target, TargetMarks]) -> bool:
        """Whether a job that was never accounted for is to be."""
        identity = reading.identity
        if identity.created_ms <= marks[identity.account, identity.region].forgotten_ms:
            return False
        return reading.over_since is None or reading.over_since >= self.baseline

    def _forget(self, target: Target, before: float) -> _Changes:
        with self._store.transaction() as db:
            store.forget_jobs(db, target, round(before * 1000), round((before - 60 * _DAY) * 1000))
            return _Changes({}, store.read_marks(db, [target]))

    def _all_after(self, transact: Callable[[], _Changes]) -> _Changes:
        """Everything, since a COMMIT that failed, or that nobody waited for, may be on disk all the same."""
        transact()
        return _Changes(self._store.series(), self._store.targets())

    async def _write(self, transact: Callable[[], _Changes]) -> bool:
        """Run a transaction and show what it changed; count and keep the error where it could not be written."""
        in_doubt = self._in_doubt
        try:
            changes = await self._blocking(lambda: self._all_after(transact) if in_doubt else transact())
        except (sqlite3.Error, StateError) as error:
            self.write_errors += 1
            self.last_error, self._in_doubt = str(error), True
            return False
        except asyncio.CancelledError:
            self._in_doubt = True
            raise
        if in_doubt:
            self._in_doubt = False
        for target, series in changes.series.items():
            self._totals[target] = {**self._totals.get(target, {}), **series}
        self._marks.update(changes.marks)
        self.last_write, self.last_error = self._time(), None
        return True

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
