"""Define the protocol of a store, the database of a ledger, and the records read and written through it.

A store blocks and is used by one thread at a time. Reads and writes are batched: a transaction of any number of jobs
takes one read of records, one write and one commit, so that a store across a network needs few round trips. Where
prices have come, one read of unpriced jobs is added for each target.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from exporter.ledger.series import Series, SeriesKey
from exporter.process.errors import UserError
from exporter.training.facts import Facts
from exporter.training.job import Identity

# (AWS account ID, region).
Target = tuple[str, str]


class StoreError(UserError):
    """The store cannot be used. The message says why and what to do. It is logged and shown, so it holds no secrets."""


class JobRecord(NamedTuple):
    """The record of a job: what the totals contain of it. A `settled` job is not expected to change any more."""

    identity: Identity
    facts: Facts
    settled: bool


class TargetMarks(NamedTuple):
    """Creation times of a target up to which all its jobs are known (`discovered_until`, Unix seconds), and up to which
    its settled jobs are forgotten (`forgotten_ms`, Unix milliseconds)."""

    discovered_until: float = 0.0
    forgotten_ms: int = 0


NO_MARKS = TargetMarks()
Totals = Mapping[SeriesKey, Series]


@dataclass(frozen=True, slots=True)
class LedgerUpdate:
    """What a transaction writes: records, totals, marks and price lists that are new or changed. Each replaces what the
    store has for the same identity, series, target or region."""

    records: Collection[JobRecord] = ()
    totals: Mapping[Target, Totals] = field(default_factory=dict)
    marks: Mapping[Target, TargetMarks] = field(default_factory=dict)
    price_lists: Mapping[str, str] = field(default_factory=dict)

    @property
    def targets(self) -> set[Target]:
        """Return all targets that it changes."""
        return {(one.identity.account, one.identity.region) for one in self.records} | {*self.totals, *self.marks}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All totals and marks of a store as of one transaction."""

    totals: Mapping[Target, Totals] = field(default_factory=dict)
    marks: Mapping[Target, TargetMarks] = field(default_factory=dict)

    def updated(self, update: LedgerUpdate) -> Snapshot:
        """Return the snapshot after the update is committed. The mapping of a target's totals stays the same object
        while none of them changes, so that callers can detect changes by identity."""
        changed = {
            target: {**self.totals.get(target, {}), **totals} for target, totals in update.totals.items() if totals
        }
        return Snapshot({**self.totals, **changed}, {**self.marks, **update.marks})

    def joined(self, other: Snapshot) -> Snapshot:
        """Return the snapshot with other targets, whose totals and marks replace those it has."""
        return Snapshot({**self.totals, **other.totals}, {**self.marks, **other.marks})

    def without(self, targets: Collection[Target]) -> Snapshot:
        """Return the snapshot without some targets."""
        return Snapshot(
            {target: totals for target, totals in self.totals.items() if target not in targets},
            {target: marks for target, marks in self.marks.items() if target not in targets},
        )


class Content(NamedTuple):
    """Everything in a store, to be copied to another one. `first_start` is in Unix seconds."""

    first_start: float
    records: Collection[JobRecord]
    snapshot: Snapshot
    price_lists: Mapping[str, str]

    @property
    def empty(self) -> bool:
        """Return whether no exporter has counted anything."""
        return not self.records and self.snapshot == Snapshot()

    def as_update(self) -> LedgerUpdate:
        """Return what writes all of it, except the first start."""
        return LedgerUpdate(self.records, self.snapshot.totals, self.snapshot.marks, self.price_lists)


class Reads(Protocol):
    """The reads of a store, available within a transaction and outside of one. Outside, each raises StoreError."""

    def snapshot(self) -> Snapshot:
        """Return all totals and marks."""

    def records(self, identities: Collection[Identity]) -> Mapping[Identity, JobRecord]:
        """Return the records of these jobs, by the requested identities; jobs without a record are left out.

        A record also matches if its CreationTime differs by up to SAME_JOB_MS; the nearest one wins.
        """

    def open_jobs(self, target: Target) -> list[Identity]:
        """Return the jobs of a target whose records are not settled."""

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        """Return the jobs of a target with billed usage that has no price yet."""

    def price_lists(self) -> Mapping[str, str]:
        """Return the saved copies of price lists by region."""


class Transaction(Reads, Protocol):
    """An open transaction. Its reads see its own writes. An error in a method ends the transaction; an error of the
    database leaves the `with` block as StoreError."""

    def write(self, update: LedgerUpdate) -> None:
        """Write all of an update, in as few round trips as possible."""

    def delete_records(self, target: Target, settled_before_ms: int, any_before_ms: int) -> int | None:
        """Delete the records of a target's settled and priced jobs created before `settled_before_ms`, and of all its
        jobs created before `any_before_ms`.

        Return the latest creation time among them, None if there were none. All times are Unix milliseconds.
        """


class Store(Reads, Protocol):
    """An open store. Opening one raises StoreError, and changes nothing, if it cannot be used or holds what no exporter
    can have written.

    After an error, the next call reconnects by itself. A store may only reconnect silently if everything that was
    committed is still there, because the ledger caches the committed totals and reads them again only after an error.
    """

    @property
    def name(self) -> str:
        """Return the name of the store in messages, such as its path."""

    @property
    def first_start(self) -> float:
        """Return when an exporter first used this store (Unix seconds). It never changes."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Return a transaction for a `with` block. It is committed at the end of the block; an exception in the block
        rolls it back. Once the block has ended without an error, the transaction survives a power cut.

        This process must be the only writer: a store that other processes can open holds a lock in the session that
        writes. Raises StoreError if that lock was lost, the transaction cannot begin, or the commit failed. A commit
        that failed may still have taken effect, for example if only the reply was lost.
        """

    def close(self) -> None:
        """Close the store; never raises StoreError."""


class CopyableStore(Store, Protocol):
    """A store that nobody else uses while it is open."""

    def content(self) -> Content:
        """Return everything in the store. Raises StoreError."""

    def fill(self, content: Content) -> None:
        """Write everything in one transaction. The store must be empty. Raises StoreError."""
