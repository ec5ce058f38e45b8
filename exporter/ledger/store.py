"""What the ledger asks of a database: the protocol of a store, and what is read and written through it.

A store blocks, and is used by one thread at a time. All reads and writes are batched: a transaction of any number of
jobs is one read of records, one write and one commit, so that a store across a network takes a handful of round trips.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from exporter.ledger.series import Series, SeriesKey
from exporter.training.facts import Facts
from exporter.training.job import Identity

# An account and a region.
Target = tuple[str, str]


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do. It names no secret: it is logged and shown."""


class JobRecord(NamedTuple):
    """What is recorded of a job. A `settled` job is not expected to change any more."""

    identity: Identity
    facts: Facts
    settled: bool


class TargetMarks(NamedTuple):
    """How far a target's jobs were discovered (creation time), and up to which creation time settled jobs were
    forgotten (milliseconds)."""

    discovered_until: float = 0.0
    forgotten_ms: int = 0


NO_MARKS = TargetMarks()
Totals = Mapping[SeriesKey, Series]


@dataclass(frozen=True, slots=True)
class LedgerUpdate:
    """What a transaction writes: records, totals, marks and price lists that are new or have changed. Each replaces
    what the store has under the same identity, series, target or region."""

    records: Collection[JobRecord] = ()
    totals: Mapping[Target, Totals] = field(default_factory=dict)
    marks: Mapping[Target, TargetMarks] = field(default_factory=dict)
    price_lists: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All totals and marks of a store as of one transaction."""

    totals: Mapping[Target, Totals] = field(default_factory=dict)
    marks: Mapping[Target, TargetMarks] = field(default_factory=dict)

    def updated(self, update: LedgerUpdate) -> Snapshot:
        """Return what the store has once the update is committed. The totals of a target are the same mapping as long
        as none of them changed."""
        changed = {
            target: {**self.totals.get(target, {}), **totals} for target, totals in update.totals.items() if totals
        }
        return Snapshot({**self.totals, **changed}, {**self.marks, **update.marks})


class Reads(Protocol):
    """What can be read, within a transaction and outside of one. Each method raises StoreError outside of one."""

    def snapshot(self) -> Snapshot:
        """Return all totals and marks."""

    def records(self, identities: Collection[Identity]) -> Mapping[Identity, JobRecord]:
        """Return what is recorded of these jobs, by the identities that were asked for; jobs without a record are left
        out. A record is also found by a CreationTime that differs by up to SAME_JOB_MS; of several the nearest one."""

    def open_jobs(self, target: Target) -> list[Identity]:
        """Return the jobs of a target whose records are not settled."""

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        """Return the jobs of a target that a price may still come for."""

    def price_lists(self) -> Mapping[str, str]:
        """Return the copies of price lists by region."""


class Transaction(Reads, Protocol):
    """An open transaction: its reads see its own writes. An error of a method ends the transaction; if it is the
    database's own error, it leaves the `with` block as StoreError."""

    def write(self, update: LedgerUpdate) -> None:
        """Write records, totals and marks, in whatever number."""

    def delete_records(self, target: Target, settled_before_ms: int, any_before_ms: int) -> int | None:
        """Delete the records of a target's settled and priced jobs created before a time, and of all its jobs created
        before another; return the latest creation time among them (milliseconds), None if there were none."""


class Store(Reads, Protocol):
    """An open store. Opening it raises StoreError where it cannot be used, or has what no exporter can have written;
    then it was not changed.

    After an error a store reconnects by itself with the next call. It may only do so without raising StoreError where
    all that was committed is still there: the ledger knows the committed totals, and reads them again only after an
    error.
    """

    @property
    def name(self) -> str:
        """What the store is called in messages, such as its path."""

    @property
    def first_start(self) -> float:
        """When an exporter first ran on this store (Unix seconds); it never changes."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Return a transaction for a `with` block. It is committed at the end of the block, and survives a power cut
        once the block was left without an error; an exception in the block rolls it back.

        The only writer is this process: a store that others can open too holds a lock on the session that writes.
        Raises StoreError where that lock was lost, the transaction cannot begin, or the commit failed. A commit that
        failed may have happened all the same.
        """

    def close(self) -> None:
        """Close the store; never raises StoreError."""
