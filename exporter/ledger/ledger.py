"""Keep the totals, and count each job exactly once, across restarts and failures.

A total is shown only after it was committed, so a restarted process never shows a lower value than before. Readings
that could not be written, and requests to price a target's jobs, are kept in memory and are part of the next write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from exporter.ledger.accounting import Batch, Reading, apply_batch, forget, is_closed
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
    """Count jobs in a store; to be opened with `async with`.

    All methods must be called in the event loop. The store blocks, so it is used in a thread of its own, where
    `open_store` opens it with the current Unix time.
    """

    def __init__(
        self,
        open_store: Callable[[float], Store],
        time: Callable[[], float],
        backfill: float = 0.0,
        rate_of: RateOf | None = None,
    ) -> None:
        """Create a ledger. Jobs that ended up to `backfill` seconds before its first start are counted too. `rate_of`
        returns the prices in force and must be thread-safe; without it nothing is priced."""
        self._open_store, self._time = open_store, time
        self.backfill, self.rate_of = backfill, rate_of
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._pending: dict[Identity, Reading] = {}
        self._begun: set[Target] = set()
        # The targets whose unpriced jobs are to be priced. Each request is an object of its own.
        self._repriced: dict[Target, object] = {}
        # Reasons logged since writing last worked, so that each is logged once per outage.
        self._reasons: set[str] = set()
        self._shown = Snapshot()
        self.write_errors = 0
        self.last_write: float | None = None
        self.last_error: str | None = None

    async def __aenter__(self) -> Ledger:
        """Open the store. Raises StoreError if it cannot be used."""
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
        """Return the Unix time before which jobs must not have ended to be counted."""
        return self._store.first_start - self.backfill

    @property
    def pending(self) -> int:
        """Return the number of readings, of targets without their preset series, and of targets whose jobs are to be
        priced, that are not written yet."""
        return len(self._pending) + len(self._begun) + len(self._repriced)

    def totals(self, target: Target) -> Totals:
        """Return the committed totals of a target. The mapping is replaced, not modified, when one of them changes."""
        return self._shown.totals.get(target, {})

    def targets(self) -> list[Target]:
        """Return all targets that have totals, also those that are no longer configured."""
        return list(self._shown.totals)

    def marks(self, target: Target) -> TargetMarks:
        """Return the committed marks of a target."""
        return self._shown.marks.get(target, NO_MARKS)

    async def begin(self, target: Target) -> None:
        """Create the preset series of a target with 0, and price the jobs that had no price in an earlier run; now or,
        if that fails, with the next write."""
        self._begun.add(target)
        await self.price(target)

    async def apply(
        self, readings: Iterable[Reading], discovered: Mapping[Target, float] | None = None
    ) -> Mapping[Identity, Facts]:
        """Count new readings of jobs, and note up to which creation time (Unix seconds) all jobs of a target are known,
        in one transaction.

        Return the recorded facts of the jobs, by the identities of their readings; empty if the write failed. Never
        raises StoreError: `write_errors` and `last_error` report failures.
        """
        for reading in readings:
            earlier = self._pending.get(reading.identity)
            self._pending[reading.identity] = earlier.merged(reading) if earlier else reading
        batch = Batch(dict(self._pending), frozenset(self._begun), discovered or {}, dict(self._repriced))
        if not batch:
            return {}
        recorded: dict[Identity, Facts] = {}

        # Runs in the store's thread, and sees only the batch: `_pending` may change in the event loop meanwhile.
        def work(transaction: Transaction, committed: Snapshot) -> LedgerUpdate:
            unpriced = [identity for target in batch.repriced for identity in transaction.unpriced_jobs(target)]
            found = transaction.records(dict.fromkeys((*batch.readings, *unpriced)))
            update = apply_batch(batch, found, unpriced, committed, self.baseline, self._time(), self.rate_of)
            recorded.update(_recorded_facts(batch, found, update))
            return update

        if not await self._write(work):
            return {}
        self._written(batch)
        return recorded

    def _written(self, batch: Batch) -> None:
        """Keep only what is not in a batch that was written."""
        self._begun -= batch.begun
        for identity, reading in batch.readings.items():
            # Another object means that a newer one came during the write, which still has to be written.
            if self._pending.get(identity) is reading:
                del self._pending[identity]
        for target, request in batch.repriced.items():
            if self._repriced.get(target) is request:
                del self._repriced[target]

    async def price(self, target: Target) -> None:
        """Price the jobs of a target that had no price so far: prices have come. If this cannot be written now, it is
        with the next write."""
        if self.rate_of:
            self._repriced[target] = object()
        await self.apply(())

    async def price_lists(self) -> Mapping[str, str]:
        """Return the saved copies of price lists by region; empty if the store cannot be read now."""
        return await self._blocking(self._price_lists)

    async def keep_price_list(self, region: str, copy: str) -> None:
        """Save a copy of a price list, for a restart while its source is unreachable."""
        await self._write(lambda transaction, committed: LedgerUpdate(price_lists={region: copy}))

    async def closed(self, jobs: Iterable[TrainingJob]) -> set[Identity]:
        """Return those of the jobs of which the totals need no further reading: settled and unchanged, ended before the
        baseline, or forgotten."""
        jobs = list(jobs)
        # Without records every job is read from AWS again: that costs requests, but counts nothing twice.
        recorded = await self._blocking(lambda: self._recorded([job.identity for job in jobs])) or {}
        return {
            job.identity
            for job in jobs
            if is_closed(job, recorded.get(job.identity), self.marks((job.account, job.region)), self.baseline)
        }

    async def open_jobs(self, target: Target) -> list[Identity] | None:
        """Return the jobs of a target that were not settled when they were last read; None if the store cannot be read
        now. No listing has those that were deleted meanwhile."""
        return await self._blocking(lambda: self._unfinished(target))

    async def recorded(self, identities: Iterable[Identity]) -> dict[Identity, Facts] | None:
        """Return the recorded facts of these jobs. Jobs without a record are left out; None if the store cannot be read
        now."""
        wanted = list(identities)
        records = await self._blocking(lambda: self._recorded(wanted))
        return None if records is None else {identity: record.facts for identity, record in records.items()}

    async def forget(self, target: Target, lookback: float, now: float, tracked: Iterable[Identity] = ()) -> None:
        """Delete the records of jobs too old for any listing of this target; `now` is AWS's clock (Unix seconds).

        Call it only right after a full listing: every older job that still has to be counted is then either recorded or
        `tracked`.
        """
        awaited = {*tracked, *(i for i in self._pending if (i.account, i.region) == target)}
        await self._write(lambda transaction, committed: forget(transaction, committed, target, lookback, now, awaited))

    def _unfinished(self, target: Target) -> list[Identity] | None:
        try:
            return self._store.open_jobs(target)
        except StoreError:
            return None

    def _recorded(self, identities: list[Identity]) -> Mapping[Identity, JobRecord] | None:
        try:
            return self._store.records(identities)
        except StoreError:
            return None

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
        """Run a transaction and show the committed totals; return False and record the error if it failed.

        If the caller is cancelled meanwhile, the thread finishes the transaction, and the next one shows its changes.
        """
        try:
            committed = await self._blocking(lambda: self._writer.run(work))
        except StoreError as error:
            self._failed(str(error))
            return False
        self._shown = committed
        self.last_write, self.last_error = self._time(), None
        if self._reasons:
            _log.info("writing the totals works again")
            self._reasons.clear()
        return True

    def _failed(self, reason: str) -> None:
        """Record a write error, and log it unless the same reason was logged since writing last worked."""
        self.write_errors += 1
        self.last_error = reason
        if reason not in self._reasons:
            self._reasons.add(reason)
            _log.error(
                "writing the totals failed; they do not advance, and what is new is kept in memory", reason=reason
            )

    async def _blocking(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _recorded_facts(
    batch: Batch, found: Mapping[Identity, JobRecord], update: LedgerUpdate
) -> Mapping[Identity, Facts]:
    """Return the facts of the jobs with a reading in the batch after the update, by the identities of the readings."""
    records = {record.identity: record.facts for record in (*found.values(), *update.records)}
    own = {identity: found[identity].identity if identity in found else identity for identity in batch.readings}
    return {asked: records[identity] for asked, identity in own.items() if identity in records}
