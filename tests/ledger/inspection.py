"""Inspect what a ledger has written: through the store's protocol while it is open, and read-only in its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from exporter.ledger.rows import record_of
from exporter.ledger.store import JobRecord, LedgerUpdate, Store, StoreError, Target, Totals, Transaction
from exporter.training.job import Identity


class Inspection:
    """Inspect a store that was opened with `open`.

    Use it only between two transactions, because a store is not thread-safe. `committed` is called with each update and
    whether it was committed for sure: after an error nobody knows.
    """

    def __init__(
        self, open_store: Callable[[float], Store], committed: Callable[[LedgerUpdate, bool], None] | None = None
    ) -> None:
        self._open_store, self._committed = open_store, committed
        self.store: Store

    def open(self, now: float) -> Store:
        self.store = self._open_store(now)
        return _Watched(self.store, self._committed) if self._committed else self.store

    def totals(self, target: Target) -> Totals | None:
        """Return the written totals, None if they cannot be read now."""
        try:
            return self.store.snapshot().totals.get(target, {})
        except StoreError:
            return None

    def record(self, identity: Identity) -> JobRecord | None:
        """Return the record of a job, None if there is none or it cannot be read now."""
        try:
            return self.store.records([identity]).get(identity)
        except StoreError:
            return None


class _Watched:
    """Report the committed updates of a store."""

    def __init__(self, store: Store, committed: Callable[[LedgerUpdate, bool], None]) -> None:
        self._store, self._committed = store, committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        updates: list[LedgerUpdate] = []
        certain = False
        try:
            with self._store.transaction() as transaction:
                yield _WatchedTransaction(transaction, updates)
            certain = True
        finally:
            for update in updates:
                self._committed(update, certain)


class _WatchedTransaction:
    def __init__(self, transaction: Transaction, updates: list[LedgerUpdate]) -> None:
        self._transaction, self._updates = transaction, updates

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def write(self, update: LedgerUpdate) -> None:
        self._updates.append(update)
        self._transaction.write(update)


def records_in(path: Path) -> list[JobRecord]:
    """Return all records in a state file that no process has open."""
    # A kill may have left a file without its tables.
    if not path.exists() or rows(path, "PRAGMA user_version") == [(0,)]:
        return []
    found = rows(path, "SELECT account, region, name, created_ms, facts, settled FROM job")
    return [record_of(Identity(*identity), facts, settled) for *identity, facts, settled in found]


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the result of a query in a file that no process has open. Nothing in its folder changes."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as db:
        return db.execute(sql).fetchall()
