"""The totals: each job is accounted for exactly once, whatever happens in between.

A total is shown only after it is on disk, so a killed process never shows less than before. What cannot be written
waits in memory and is tried again with the next reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from exporter.ledger.accounting import Batch, Reading, apply_batch, forget, is_closed, price_again
from exporter.ledger.store import (
    NO_MARKS,
    JobRecord,
    LedgerUpdate,
    Snapshot,
    Store,
    StoreError,
    Target,
    TargetMarks,
    Totals,
    Transaction,
)
from exporter.ledger.writer import Work, Writer
from exporter.process.logs import Log
from exporter.training.cost import RateOf
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob

_log = Log(__name__)
_T = TypeVar("_T")


class Ledger:
    """Open with `async with`. All methods are for the event loop; the store is used in a thread of its own, and opened
    there by `open_store` with the time (Unix seconds)."""

    def __init__(
        self,
        open_store: Callable[[float], Store],
        time: Callable[[], float],
        backfill: float = 0.0,
        rate_of: RateOf | None = None,
    ) -> None:
        """`rate_of` gives the prices in force, in any thread; without it nothing is priced."""
        self._open_store, self._time = open_store, time
        self.backfill, self.rate_of = backfill, rate_of
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._pending: dict[Identity, Reading] = {}
        self._begun: set[Target] = set()
        # Why writing fails now; empty while it works.
        self._reasons: set[str] = set()
        self._shown = Snapshot()
        self.write_errors = 0
        self.last_write: float | None = None
        self.last_error: str | None = None

    async def __aenter__(self) -> Ledger:
        """Raises StoreError where the store cannot be used."""
        try:
            self._shown = await self._blocking(self._open)
        except StoreError:
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
        """How many readings, and targets without their known series, could not be written yet."""
        return len(self._pending) + len(self._begun)

    def totals(self, target: Target) -> Totals:
        """The totals of a target; a new mapping whenever one changed."""
        return self._shown.totals.get(target, {})

    def targets(self) -> list[Target]:
        """All targets that ever counted anything, also those that are no longer configured."""
        return list(self._shown.totals)

    def marks(self, target: Target) -> TargetMarks:
        return self._shown.marks.get(target, NO_MARKS)

    async def begin(self, target: Target) -> None:
        """Give a target its known series, with 0; where they cannot be written, with the next readings."""
        self._begun.add(target)
        await self.apply(())

    async def apply(
        self, readings: Iterable[Reading], discovered: Mapping[Target, float] | None = None
    ) -> Mapping[Identity, Facts]:
        """Account for new readings of jobs, in one transaction; and note up to which creation time all jobs of a
        target are known. Return what is recorded of the jobs then, by the identities of their readings, and nothing
        where it could not be written. Never raises StoreError: see `write_errors`."""
        for reading in readings:
            earlier = self._pending.get(reading.identity)
            self._pending[reading.identity] = earlier.merged(reading) if earlier else reading
        batch = Batch(dict(self._pending), frozenset(self._begun), discovered or {})
        if not batch:
            return {}
        recorded: dict[Identity, Facts] = {}

        def work(transaction: Transaction, committed: Snapshot) -> LedgerUpdate:
            found = transaction.records(batch.readings)
            update = apply_batch(batch, found, committed, self.baseline, self._time(), self.rate_of)
            records = {record.identity: record.facts for record in (*found.values(), *update.records)}
            own = {identity: found[identity].identity if identity in found else identity for identity in batch.readings}
            recorded.update({asked: records[identity] for asked, identity in own.items() if identity in records})
            return update

        if not await self._write(work):
            return {}
        self._begun -= batch.begun
        for identity, reading in batch.readings.items():
            if self._pending.get(identity) is reading:
                del self._pending[identity]
        return recorded

    async def price(self, target: Target) -> Mapping[Identity, Facts]:
        """Price the jobs of a target that had no price so far, as new prices may have come. Return what is recorded of
        those that have one now."""
        rate_of, priced = self.rate_of, dict[Identity, Facts]()
        if rate_of is None:
            return {}

        def work(transaction: Transaction, committed: Snapshot) -> LedgerUpdate:
            records = transaction.records(transaction.unpriced_jobs(target)).values()
            update = price_again(records, committed, self._time(), rate_of)
            priced.update({record.identity: record.facts for record in update.records})
            return update

        return priced if await self._write(work) else {}

    async def price_lists(self) -> Mapping[str, str]:
        """Return the copies of price lists by region; none where they cannot be read now."""
        return await self._blocking(self._price_lists)

    async def keep_price_list(self, region: str, copy: str) -> None:
        """Keep a copy of a price list for a start without its source."""
        await self._write(lambda transaction, committed: LedgerUpdate(price_lists={region: copy}))

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
        """What is recorded of these jobs; without those nobody knows, and empty where the store cannot be read now."""
        wanted = list(identities)
        records = await self._blocking(lambda: self._recorded(wanted))
        return {identity: record.facts for identity, record in records.items()}

    async def forget(self, target: Target, lookback: float, now: float, tracked: Iterable[Identity] = ()) -> None:
        """Drop what no listing of this target can bring back; `now` is AWS's clock. Only right after a full listing:
        whatever is older, not recorded and not `tracked` then never has to be."""
        awaited = {*tracked, *(i for i in self._pending if (i.account, i.region) == target)}
        await self._write(lambda transaction, committed: forget(transaction, committed, target, lookback, now, awaited))

    def _unfinished(self, target: Target) -> list[Identity]:
        try:
            return self._store.open_jobs(target)
        except StoreError:
            # The first listing, which is a full one, finds them too.
            return []

    def _recorded(self, identities: list[Identity]) -> Mapping[Identity, JobRecord]:
        try:
            return self._store.records(identities)
        except StoreError:
            # Unreadable for now: everything will be read again, which is never wrong.
            return {}

    def _price_lists(self) -> Mapping[str, str]:
        try:
            return self._store.price_lists()
        except StoreError:
            return {}

    def _open(self) -> Snapshot:
        self._store = self._open_store(self._time())
        try:
            self._writer = Writer(self._store)
        except StoreError:
            self._store.close()
            raise
        return self._writer.committed

    async def _write(self, work: Work) -> bool:
        """Run a transaction and show what is committed then; count and keep the error where it could not be written.
        Whoever is cancelled meanwhile leaves it to the next transaction to show what this one changed."""
        try:
            committed = await self._blocking(lambda: self._writer.run(work))
        except StoreError as error:
            self._failed(str(error))
            return False
        self._shown = committed
        self.last_write, self.last_error = self._time(), None
        if self._reasons:
            _log.info("the totals are written again")
            self._reasons.clear()
        return True

    def _failed(self, reason: str) -> None:
        """Count and keep an error; log each reason once until writing works again."""
        self.write_errors += 1
        self.last_error = reason
        if reason not in self._reasons:
            self._reasons.add(reason)
            _log.error("the totals cannot be written and stand still, what is read waits in memory", reason=reason)

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
