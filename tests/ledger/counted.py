"""Count the calls of a store. In a store across a network, each call is a round trip."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from exporter.ledger.store import JobRecord, LedgerUpdate, Reads, Snapshot, Store, Target, Transaction
from exporter.training.job import Identity


@dataclass
class _CountedReads:
    reads: Reads
    calls: list[str]

    def snapshot(self) -> Snapshot:
        self.calls.append("snapshot")
        return self.reads.snapshot()

    def records(self, identities: Collection[Identity]) -> Mapping[Identity, JobRecord]:
        self.calls.append("records")
        return self.reads.records(identities)

    def open_jobs(self, target: Target) -> list[Identity]:
        self.calls.append("open_jobs")
        return self.reads.open_jobs(target)

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        self.calls.append("unpriced_jobs")
        return self.reads.unpriced_jobs(target)

    def price_lists(self) -> Mapping[str, str]:
        self.calls.append("price_lists")
        return self.reads.price_lists()


@dataclass
class _CountedTransaction(_CountedReads):
    transaction: Transaction

    def write(self, update: LedgerUpdate) -> None:
        self.calls.append("write")
        self.transaction.write(update)

    def delete_records(self, target: Target, settled_before_ms: int, any_before_ms: int) -> int | None:
        self.calls.append("delete_records")
        return self.transaction.delete_records(target, settled_before_ms, any_before_ms)


@dataclass
class CountedStore(_CountedReads):
    """Record in `calls` each call of the store or of one of its transactions, including begin and commit."""

    reads: Store
    calls: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.reads.name

    @property
    def first_start(self) -> float:
        return self.reads.first_start

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.calls.append("begin")
        with self.reads.transaction() as transaction:
            yield _CountedTransaction(transaction, self.calls, transaction)
            self.calls.append("commit")

    def close(self) -> None:
        self.reads.close()
