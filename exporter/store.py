"""The state file: SQLite with what was accounted for each job, and the totals. Everything here blocks.

One process has the file (an exclusive lock while it runs), one transaction changes jobs and totals together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from exporter.contributions import Amounts, Series, SeriesKey
from exporter.facts import Facts
from exporter.job import Identity

MEMORY = ":memory:"
_APPLICATION_ID = 0x53_4D_45_58  # "SMEX"
_VERSION = 1
_SCHEMA = """
CREATE TABLE first_start (seconds REAL NOT NULL);
CREATE TABLE job (
    account TEXT, region TEXT, name TEXT, created_ms INTEGER, settled INTEGER NOT NULL, facts BLOB NOT NULL,
    PRIMARY KEY (account, region, name, created_ms)
) WITHOUT ROWID;
CREATE TABLE series (
    account TEXT, region TEXT, family TEXT, labels TEXT, created REAL NOT NULL, true TEXT NOT NULL, shown TEXT NOT NULL,
    PRIMARY KEY (account, region, family, labels)
) WITHOUT ROWID;
CREATE TABLE target (
    account TEXT, region TEXT, discovered_until REAL NOT NULL DEFAULT 0, forgotten_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region)
) WITHOUT ROWID;
"""
# From version N to N + 1, in order; version 1 is the first one published.
_MIGRATIONS: Mapping[int, str] = {}

Target = tuple[str, str]
Connect = Callable[..., sqlite3.Connection]


class StateError(Exception):
    """The state file cannot be used; the message says why and what to do. The file was not changed."""


class Account(NamedTuple):
    """What is recorded of a job."""

    facts: Facts
    settled: bool


class TargetMarks(NamedTuple):
    """How far a target's jobs were discovered (creation time), and up to which creation time settled jobs were
    forgotten (milliseconds)."""

    discovered_until: float = 0.0
    forgotten_ms: int = 0


class Store:
    """An open state file. Not for more than one thread at a time."""

    def __init__(self, path: str, now: float, connect: Connect = sqlite3.connect) -> None:
        self._path = path or MEMORY
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        with self._connection(now) as db:
            self.first_start: float = db.execute("SELECT seconds FROM first_start").fetchone()[0]

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; after an error the file is opened anew for the next one."""
        try:
            with self._connection(None) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.Error:
            self._abandon()
            raise

    def jobs(self, identities: Iterable[Identity]) -> dict[Identity, Account]:
        with self._connection(None) as db:
            return read_jobs(db, identities)

    def series(self) -> dict[Target, dict[SeriesKey, Series]]:
        """All totals, by target."""
        found: dict[Target, dict[SeriesKey, Series]] = {}
        with self._connection(None) as db:
            rows = db.execute("SELECT account, region, family, labels, created, true, shown FROM series")
            for account, region, family, labels, created, true, shown in rows:
                found.setdefault((account, region), {})[_key(family, labels)] = _series(created, true, shown)
        return found

    def targets(self) -> dict[Target, TargetMarks]:
        with self._connection(None) as db:
            rows = db.execute("SELECT account, region, discovered_until, forgotten_ms FROM target")
            return {(account, region): TargetMarks(until, ms) for account, region, until, ms in rows}

    def open_jobs(self, target: Target) -> list[Identity]:
        """The jobs of a target that were not settled when they were last seen."""
        with self._connection(None) as db:
            rows = db.execute(
                "SELECT account, region, name, created_ms FROM job WHERE account=? AND region=? AND settled=0", target
            )
            return [Identity(*row) for row in rows]

    @contextmanager
    def _connection(self, now: float | None) -> Iterator[sqlite3.Connection]:
        if self._db is None:
            self._db = _open(self._path, now, self._connect)
        yield self._db

    def _abandon(self) -> None:
        if self._db is None:
            return
        with suppress(sqlite3.Error):
            self._db.rollback()
        # A database in memory lives in its connection.
        if self._path != MEMORY:
            with suppress(sqlite3.Error):
                self.close()
            self._db = None


def read_jobs(db: sqlite3.Connection, identities: Iterable[Identity]) -> dict[Identity, Account]:
    """What is recorded of these jobs; those nobody knows are not in it."""
    found = {}
    for identity in identities:
        row = db.execute(
            "SELECT facts, settled FROM job WHERE account=? AND region=? AND name=? AND created_ms=?", identity
        ).fetchone()
        if row:
            found[identity] = Account(Facts.from_json(row[0]), bool(row[1]))
    return found


def write_jobs(db: sqlite3.Connection, accounts: Mapping[Identity, Account]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO job VALUES (?,?,?,?,?,?)",
        [(*identity, int(settled), facts.to_json()) for identity, (facts, settled) in accounts.items()],
    )


def read_series(db: sqlite3.Connection, target: Target, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Series]:
    """The totals of a target that exist among these."""
    found = {}
    for key in keys:
        row = db.execute(
            "SELECT created, true, shown FROM series WHERE account=? AND region=? AND family=? AND labels=?",
            (*target, key.family, _labels(key)),
        ).fetchone()
        if row:
            found[key] = _series(*row)
    return found


def write_series(db: sqlite3.Connection, target: Target, series: Mapping[SeriesKey, Series]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO series VALUES (?,?,?,?,?,?,?)",
        [
            (*target, key.family, _labels(key), one.created, _numbers(one.true), _numbers(one.shown))
            for key, one in series.items()
        ],
    )


def read_marks(db: sqlite3.Connection, targets: Iterable[Target]) -> dict[Target, TargetMarks]:
    """The marks of each of these."""
    found = {}
    for target in targets:
        row = db.execute(
            "SELECT discovered_until, forgotten_ms FROM target WHERE account=? AND region=?", target
        ).fetchone()
        found[target] = TargetMarks(*row) if row else TargetMarks()
    return found


def mark_discovered(db: sqlite3.Connection, target: Target, until: float) -> None:
    db.execute(
        "INSERT INTO target (account, region, discovered_until) VALUES (?,?,?) "
        "ON CONFLICT DO UPDATE SET discovered_until=excluded.discovered_until",
        (*target, until),
    )


def forget_jobs(db: sqlite3.Connection, target: Target, before_ms: int, lost_before_ms: int) -> None:
    """Delete the settled jobs of a target created before a time, and any created long before it; remember up to
    when, so that none of them is ever taken for a new one."""
    forgotten = db.execute(
        "DELETE FROM job WHERE account=? AND region=? AND (created_ms<? AND settled=1 OR created_ms<?) "
        "RETURNING created_ms",
        (*target, before_ms, lost_before_ms),
    ).fetchall()
    if not forgotten:
        return
    db.execute(
        "INSERT INTO target (account, region, forgotten_ms) VALUES (?,?,?) "
        "ON CONFLICT DO UPDATE SET forgotten_ms=max(forgotten_ms, excluded.forgotten_ms)",
        (*target, max(forgotten)[0]),
    )


def _series(created: float, true: str, shown: str) -> Series:
    return Series(tuple(orjson.loads(true)), tuple(orjson.loads(shown)), created)


def _numbers(amounts: Amounts) -> str:
    return orjson.dumps(amounts).decode()


def _labels(key: SeriesKey) -> str:
    return orjson.dumps([key.labels, key.tags]).decode()


def _key(family: str, labels: str) -> SeriesKey:
    values, tags = orjson.loads(labels)
    return SeriesKey(family, tuple(values), tuple((k, v) for k, v in tags))


def _open(path: str, now: float | None, connect: Connect) -> sqlite3.Connection:
    if path != MEMORY:
        _examine(path, must_exist=now is None)
    try:
        # Its user is one thread at a time, though not the one that opened it.
        db = connect(path, isolation_level=None, check_same_thread=False, timeout=0.0)
    except sqlite3.Error as error:
        raise StateError(f"{path}: cannot be opened: {error}; is the directory there, and writable?") from error
    try:
        # The lock is taken by the first write and kept: nobody else may count on this file. WAL and FULL: what
        # was shown once is still there after a power cut.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN EXCLUSIVE")
        _migrate(db, now)
        db.execute("COMMIT")
    except sqlite3.Error as error:
        db.close()
        if "locked" in str(error):
            raise StateError(f"{path}: another process has it open; give each exporter its own state.path") from error
        if now is None:
            raise
        raise StateError(f"{path}: cannot be written: {error}") from error
    return db


def _look(path: str) -> tuple[int, int, int, str] | None:
    """Application, schema version, number of tables, and "ok" or what is damaged; None where there is nothing yet."""
    try:
        if not Path(path).exists() or Path(path).stat().st_size == 0:
            return None
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=0.0)) as db:
            asked = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            application, version, tables = (db.execute(question).fetchone()[0] for question in asked)
            return application, version, tables, db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except OSError as error:
        raise StateError(f"{path}: cannot be opened: {error.strerror}; name another state.path") from error
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise StateError(f"{path}: another process has it open; give each exporter its own state.path") from error
        raise StateError(f"{path}: is no usable state file ({error}); move it away, or restore a copy") from error


def _examine(path: str, must_exist: bool) -> None:
    """Look before anything is touched. A file that was there when the process began is never begun anew: what it
    held is shown."""
    found = _look(path)
    # Without a table: whoever made the file was killed before there was a schema.
    if found is None or found[:3] == (0, 0, 0):
        if must_exist:
            raise StateError(f"{path}: the state file is gone; put it back, or restart to begin anew")
        return
    application, version, _, sound = found
    if application != _APPLICATION_ID:
        raise StateError(f"{path}: is a database of another program; name another state.path")
    if version > _VERSION:
        raise StateError(
            f"{path}: was written by a newer exporter (schema {version}, this one knows {_VERSION}); "
            "run that version, or name another state.path"
        )
    if sound != "ok":
        raise StateError(f"{path}: is damaged ({sound}); restore a copy, or move it away to start anew")


def _migrate(db: sqlite3.Connection, now: float | None) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _run(db, _SCHEMA)
        db.execute("INSERT INTO first_start VALUES (?)", (now or 0.0,))
    for step in range(version or _VERSION, _VERSION):
        _run(db, _MIGRATIONS[step])
    if version != _VERSION:
        db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={_VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    # executescript would commit first.
    for statement in filter(str.strip, script.split(";")):
        db.execute(statement)
