"""Choose the store of a ledger from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore


def open_ledger(path: str, time: Callable[[], float], backfill: float = 0.0) -> Ledger:
    """Return a ledger on the state file at `path`, to be opened with `async with`. Without a path, totals are kept in
    memory and are lost with the process. `backfill` is in seconds."""
    return Ledger(partial(SqliteStore, path), time, backfill)
