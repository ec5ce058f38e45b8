"""Looks at what a ledger has written: through the protocol of its store while it is open, and read-only in its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from exporter.ledger.store import JobRecord, Store, StoreError, Target, Totals
from exporter.training.job import Identity


class Inspection:
    """`open` opens the store of a ledger, which is looked at from then on. It is for whoever runs between two
    transactions, as the store is not for two threads at a time."""

    def __init__(self, open_store: Callable[[float], Store]) -> None:
        self._open_store = open_store
        self.store: Store

    def open(self, now: float) -> Store:
        self.store = self._open_store(now)
        return self.store

    def totals(self, target: Target) -> Totals | None:
        """Return the totals that are written; None where they cannot be read now."""
        try:
            return self.store.snapshot().totals.get(target, {})
        except StoreError:
            return None

    def record(self, identity: Identity) -> JobRecord | None:
        """Return what is recorded of a job; None where nothing is, or it cannot be read now."""
        try:
            return self.store.records([identity]).get(identity)
        except StoreError:
            return None


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in a file that nobody has open; nothing in its folder changes."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as db:
        return db.execute(sql).fetchall()
