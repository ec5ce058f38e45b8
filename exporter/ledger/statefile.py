"""Open the state file: inspect it read-only first, refuse files of others, and migrate older versions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.ledger import wal
from exporter.ledger.presence import log_of
from exporter.ledger.reasons import is_damage, reason
from exporter.ledger.store import StoreError
from exporter.process.logs import Log

_log = Log(__name__)
MEMORY = ":memory:"
_APPLICATION_ID = 0x53_4D_45_58  # "SMEX"

Connect = Callable[..., sqlite3.Connection]


@dataclass(frozen=True, slots=True)
class Schema:
    """A version of the schema. `script` creates a new file; `migrations[N]` leads from version N to N + 1. Both may use
    `:now`, the Unix time."""

    version: int
    script: str
    migrations: Mapping[int, str]


def open_file(path: str, now: float | None, schema: Schema, connect: Connect) -> sqlite3.Connection:
    """Return a connection with an exclusive lock on the file.

    With `now` (Unix seconds) the file may be created. Without it the file is reopened: it must exist, and errors may be
    temporary. Raises StoreError; when reopening, also sqlite3.Error.
    """
    if path != MEMORY:
        _examine(path, schema.version, must_exist=now is None)
    try:
        # The ledger uses the connection in one thread at a time, but not always in the thread that opened it.
        db = connect(path, isolation_level=None, check_same_thread=False, timeout=0.0)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be opened: {reason(path, error)}") from error
    try:
        # EXCLUSIVE: the first write takes the lock and keeps it, so that no other process counts in this file. WAL with
        # FULL: a committed transaction survives a power cut, and only committed totals are shown.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN EXCLUSIVE")
        _migrate(db, schema, now)
        db.execute("COMMIT")
        empty_log(db)
    except sqlite3.Error as error:
        db.close()
        if "locked" in str(error):
            raise _taken(path) from error
        if now is None:
            raise
        raise StoreError(f"{path}: cannot be written: {reason(path, error)}") from error
    return db


def empty_log(db: sqlite3.Connection) -> None:
    """Move the content of the write-ahead log into the file, so that shown totals depend on the file alone.

    A log is easily left behind by a copy, deleted or damaged, and SQLite reports none of that.
    """
    _, frames, moved = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if moved < frames:
        raise sqlite3.OperationalError("the log could not be moved into the file")


def damaged(path: str, what: object) -> StoreError:
    """Return the error for a file with content that no exporter can have written."""
    return StoreError(f"{path}: is damaged ({what}); restore a copy, or move it away to count from 0")


def _taken(path: str) -> StoreError:
    return StoreError(f"{path}: another process has it open; give each exporter its own file")


def _examine(path: str, newest: int, must_exist: bool) -> None:
    """Raise StoreError for a file that cannot be used.

    With `must_exist`, a missing or empty file is refused as well: its totals are on display, and counting from 0 would
    make them go down.
    """
    found = _look(path)
    # A database without tables: the process that created it was killed before it wrote the schema.
    if found is None or found[:3] == (0, 0, 0):
        if must_exist:
            raise StoreError(f"{path}: the state file is gone; put it back, or restart the exporter to count from 0")
        return
    application, version, _, sound = found
    if application != _APPLICATION_ID:
        raise StoreError(f"{path}: is a database of another program; name another file")
    if version > newest:
        raise StoreError(
            f"{path}: was written by a newer exporter (schema {version}, this one knows {newest}); "
            "run that version, or name another file"
        )
    if sound != "ok":
        raise damaged(path, sound)


def _look(path: str) -> tuple[int, int, int, str] | None:
    """Return the application id, the schema version, the number of tables, and "ok" or the damage that SQLite reports;
    None if there is no file or an empty one."""
    try:
        file = Path(os.path.realpath(path))
        if file.exists() and not file.is_file():
            raise StoreError(f"{path}: is not a file; name another one")
        if not file.exists() or file.stat().st_size == 0:
            _refuse_lonely_log(path, log_of(file))
            return None
        return _contents(path, file)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {reason(path, error)}") from error
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise _taken(path) from error
        if is_damage(error):
            raise StoreError(
                f"{path}: is not a usable state file ({error}); move it away, or restore a copy"
            ) from error
        raise StoreError(f"{path}: cannot be read: {reason(path, error)}") from error


def _contents(path: str, file: Path) -> tuple[int, int, int, str]:
    try:
        with _reading(file, with_log=True) as db:
            asked = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            application, version, tables = (db.execute(question).fetchone()[0] for question in asked)
            sound = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            _examine_log(path, file)
        raise
    _examine_log(path, file)
    return application, version, tables, sound


def _refuse_lonely_log(path: str, log: Path) -> None:
    """Raise StoreError for a log without its file: SQLite would delete it, and with it the totals that it holds."""
    if log.exists() and log.stat().st_size > wal.HEADER:
        raise StoreError(
            f"{path}: is missing or empty, but its log {log.name} is there; put the file back, or move the log away to "
            "count from 0"
        )


def _examine_log(path: str, file: Path) -> None:
    """Raise StoreError for a log that is damaged or belongs to another file.

    SQLite would read a damaged log up to the damage, and would apply the log of another file to this one.
    """
    log = log_of(file)
    found = wal.read(log)
    if found.damage:
        raise StoreError(
            f"{path}: its log {log.name} is damaged ({found.damage}), and totals might go down; restore a copy of "
            f"both, or move {log.name} away to continue with what the file has"
        )
    if found.lost:
        _log.warning(
            "the last transaction in the log is incomplete, as after a power cut, and is ignored; no total that was "
            "shown is lost, because each transaction is written to the state file before it is shown",
            file=path,
            log=log.name,
        )
    if found.readable and _identity(file, with_log=False) not in (None, _identity(file, with_log=True)):
        raise StoreError(
            f"{path}: {log.name} is the log of another file; put its own log back, or move this one away to continue "
            "with what the file has"
        )


def _identity(file: Path, with_log: bool) -> object:
    """Return the first start recorded in a file, which never changes and so identifies it; None if unreadable."""
    try:
        with _reading(file, with_log) as db:
            row = db.execute("SELECT seconds FROM first_start").fetchone()
            return row and row[0]
    except sqlite3.DatabaseError:
        return None


@contextmanager
def _reading(file: Path, with_log: bool) -> Iterator[sqlite3.Connection]:
    """Open a file read-only, and leave nothing beside it.

    SQLite creates a shared-memory index (-shm) to read the log. It can be deleted: an exporter that has the file open
    keeps its own index in memory, because of its exclusive lock.
    """
    index = file.with_name(f"{file.name}-shm")
    mode, indexed = "mode=ro" if with_log and log_of(file).exists() else "immutable=1", index.exists()
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True, timeout=0.0)) as db:
            yield db
    finally:
        if not indexed:
            with suppress(OSError):
                index.unlink()


def _migrate(db: sqlite3.Connection, schema: Schema, now: float | None) -> None:
    """Create or migrate the schema within the open transaction, so that a crash leaves the old version intact."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == schema.version:
        return
    scripts = [schema.migrations[step] for step in range(version, schema.version)] if version else [schema.script]
    for script in scripts:
        # executescript() would commit the open transaction first.
        for statement in filter(str.strip, script.split(";")):
            db.execute(statement, {"now": now})
    db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={schema.version}")
