"""Choose the store of a ledger from the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from exporter.ledger.ledger import Ledger
from exporter.ledger.shared import SharedLedger
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import CopyableStore, StoreError

if TYPE_CHECKING:
    from exporter.ledger.postgres import PostgresStore
    from exporter.ledger.session import Condition


def open_ledger(path: str, time: Callable[[], float], backfill: float = 0.0) -> Ledger:
    """Return a ledger on the state file at `path`, to be opened with `async with`. Without a path, totals are kept in
    memory and are lost with the process. `backfill` is in seconds."""
    return Ledger(partial(SqliteStore, path), time, backfill)


def share_ledger(
    url: str, name: str, password_file: str, now: Callable[[], tuple[float, float]], backfill: float = 0.0
) -> SharedLedger:
    """Return a ledger on the PostgreSQL database at `url`, which is called `name` in messages. `password_file` is read
    at each connection, "" for none. `now` returns the monotonic and the Unix time."""
    return SharedLedger(partial(_postgres, url, name, password_file), now, backfill)


@contextmanager
def open_for_copying(place: str, name: str, password_file: str, now: float | None) -> Iterator[CopyableStore]:
    """Open the state file or the database at `place`, a path or a URL. With `now` (Unix seconds) it may be created; a
    file that is new is deleted again if the block fails. Raises StoreError."""
    if "://" in place:
        with closing(_postgres(place, name, password_file, now)) as database:
            yield database
        return
    new = not os.path.exists(place)
    if now is None and (new or not os.path.getsize(place)):
        raise StoreError(f"{place}: {'there is no such file' if new else 'is empty; there is nothing to copy'}")
    try:
        with closing(SqliteStore(place, now)) as file:
            yield file
    except BaseException:
        if new:
            with suppress(OSError):
                os.unlink(os.path.realpath(place))
        raise


def examine_database(url: str, name: str, password_file: str) -> Condition:
    """Return the condition of the database at `url`, and change nothing. Raises StoreError if it cannot be used; its
    words may be published if `name` may."""
    with _driver():
        from exporter.ledger.session import examine  # noqa: PLC0415
    return examine(url, name, password_file)


def _postgres(url: str, name: str, password_file: str, now: float | None) -> PostgresStore:
    with _driver():
        from exporter.ledger.postgres import PostgresStore  # noqa: PLC0415
    return PostgresStore(url, name, password_file, now)


@contextmanager
def _driver() -> Iterator[None]:
    """Explain a failed import of the block: only replicas need psycopg, which also takes a while to import."""
    try:
        yield
    except ImportError as error:
        raise StoreError(f"PostgreSQL needs psycopg ({error}): pip install 'sagemaker-exporter[postgres]'") from error
