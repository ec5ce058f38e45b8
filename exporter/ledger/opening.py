"""Decides which store a ledger is kept in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore


def open_ledger(path: str, time: Callable[[], float], backfill: float = 0.0) -> Ledger:
    """Return a ledger for `async with`, on the state file at `path`; without a path its totals live in memory."""
    return Ledger(partial(SqliteStore, path), time, backfill)
