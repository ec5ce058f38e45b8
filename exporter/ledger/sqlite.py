"""The tables of the state file: what was accounted for each job, and the totals. Everything here blocks.

One process has the file (an exclusive lock while it runs), one transaction changes jobs and totals together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from exporter.ledger.openfile import OpenFile
from exporter.ledger.reasons import reason
from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.statefile import MEMORY, Connect, Schema, StateError, damaged
from exporter.training.facts import Facts
from exporter.training.job import SAME_JOB_MS, Identity

# Version 1 counted training seconds before the bill. Such a job is marked, or they would be counted again with it; one
# that was settled without a bill is open again, as its bill may have come since. A row that no exporter can have
# written is left for `Tables.check`, which names it; of two jobs of one name only the newer one can still be read.
_COUNTED_BEFORE_THE_BILL = """
UPDATE job SET
    settled = settled AND (
        json_type(CAST(facts AS TEXT), '$[2].types') IS NULL
        OR EXISTS (
            SELECT 1 FROM job newer WHERE newer.account=job.account AND newer.region=job.region
            AND newer.name=job.name AND newer.created_ms>job.created_ms
        )
    ),
    facts = CAST(json_set(CAST(facts AS TEXT), '$[2].no_bill', json('[0.0,true]')) AS BLOB)
WHERE CASE
    WHEN json_valid(CAST(facts AS TEXT)) AND json_type(CAST(facts AS TEXT), '$[2]')='object'
    THEN json_type(CAST(facts AS TEXT), '$[2].seconds') IS NOT NULL
    AND json_type(CAST(facts AS TEXT), '$[2].billable') IS NULL
END
"""

SCHEMA = Schema(
    version=2,
    script="""
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
INSERT INTO first_start VALUES (:now)
""",
    migrations={1: _COUNTED_BEFORE_THE_BILL},
)

Target = tuple[str, str]


class Account(NamedTuple):
    """What is recorded of a job."""

    facts: Facts
    settled: bool


class Record(NamedTuple):
    """A job that is recorded, and by which identity."""

    identity: Identity
    account: Account


class TargetMarks(NamedTuple):
    """How far a target's jobs were discovered (creation time), and up to which creation time settled jobs were
    forgotten (milliseconds)."""

    discovered_until: float = 0.0
    forgotten_ms: int = 0


class Store:
    """An open state file. Not for more than one thread at a time."""

    def __init__(self, path: str, now: float, connect: Connect = sqlite3.connect, schema: Schema = SCHEMA) -> None:
        """Raises StateError and sqlite3.Error."""
        self._file = OpenFile(path or MEMORY, schema, connect)
        try:
            tables = self._tables(now)
            self.first_start = tables.first_start()
            tables.check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def tables(self) -> Iterator[Tables]:
        """To read."""
        yield self._tables()

    @contextmanager
    def transaction(self) -> Iterator[Tables]:
        """All or nothing; after an error the file is opened anew for the next one."""
        self._file.stay()
        try:
            tables = self._tables()
            tables.db.execute("BEGIN IMMEDIATE")
            yield tables
            tables.db.execute("COMMIT")
            self._file.committed()
        except sqlite3.Error as error:
            self._file.abandon()
            raise StateError(f"{self._file.path}: cannot be written: {reason(self._file.path, error)}") from error
        except StateError:
            self._file.abandon()
            raise

    def _tables(self, now: float | None = None) -> Tables:
        return Tables(self._file.connection(now), self._file.path)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of an open file. A row that no exporter can have written raises StateError."""

    db: sqlite3.Connection
    path: str

    def first_start(self) -> float:
        """When an exporter first ran on this file."""
        rows = self.db.execute("SELECT seconds FROM first_start").fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], float):
            raise self._nonsense("first_start", rows)
        return rows[0][0]

    def check(self) -> None:
        """Read everything once, so that nothing comes to light later."""
        self.series()
        self.marks()
        with closing(self.db.execute("SELECT account, region, name, created_ms, facts, settled FROM job")) as rows:
            for *identity, facts, settled in rows:
                if not isinstance(identity[-1], int) or settled not in (0, 1):
                    raise self._nonsense("job", identity)
                self._account(identity, facts, settled)

    def jobs(self, identities: Iterable[Identity]) -> dict[Identity, Account]:
        """What is recorded of these jobs; those nobody knows are not in it."""
        return {identity: record.account for identity, record in self.records(identities).items()}

    def records(self, identities: Iterable[Identity]) -> dict[Identity, Record]:
        """The records of these jobs, also where they have another CreationTime of the same second."""
        found = {}
        for identity in identities:
            if record := self._record(identity, 0) or self._record(identity, SAME_JOB_MS):
                found[identity] = record
        return found

    def _record(self, identity: Identity, tolerance_ms: int) -> Record | None:
        *named, created_ms = identity
        row = self.db.execute(
            "SELECT created_ms, facts, settled FROM job WHERE account=? AND region=? AND name=? "
            "AND created_ms BETWEEN ? AND ? ORDER BY abs(created_ms-?) LIMIT 1",
            (*named, created_ms - tolerance_ms, created_ms + tolerance_ms, created_ms),
        ).fetchone()
        if row is None:
            return None
        recorded = identity._replace(created_ms=row[0])
        return Record(recorded, self._account(recorded, *row[1:]))

    def open_jobs(self, target: Target) -> list[Identity]:
        """The jobs of a target that were not settled when they were last seen."""
        rows = self.db.execute(
            "SELECT account, region, name, created_ms FROM job WHERE account=? AND region=? AND settled=0", target
        )
        return [Identity(*row) for row in rows]

    def write_jobs(self, accounts: Mapping[Identity, Account]) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO job VALUES (?,?,?,?,?,?)",
            [(*identity, int(settled), facts.to_json()) for identity, (facts, settled) in accounts.items()],
        )

    def forget_jobs(self, target: Target, before_ms: int, lost_before_ms: int) -> None:
        """Delete the settled jobs of a target created before a time, and any created long before it; remember up to
        when, so that none of them is ever taken for a new one."""
        forgotten = self.db.execute(
            "DELETE FROM job WHERE account=? AND region=? AND (created_ms<? AND settled=1 OR created_ms<?) "
            "RETURNING created_ms",
            (*target, before_ms, lost_before_ms),
        ).fetchall()
        if not forgotten:
            return
        self.db.execute(
            "INSERT INTO target (account, region, forgotten_ms) VALUES (?,?,?) "
            "ON CONFLICT DO UPDATE SET forgotten_ms=max(forgotten_ms, excluded.forgotten_ms)",
            (*target, max(forgotten)[0]),
        )

    def series(self) -> dict[Target, dict[SeriesKey, Series]]:
        """All totals, by target."""
        found: dict[Target, dict[SeriesKey, Series]] = {}
        rows = self.db.execute("SELECT account, region, family, labels, created, true, shown FROM series").fetchall()
        for account, region, family, labels, *amounts in rows:
            try:
                key = SeriesKey.of_row(family, labels)
                found.setdefault((account, region), {})[key] = Series.of_row(key, *amounts)
            except ValueError as error:
                raise self._nonsense("series", (account, region, family, labels)) from error
        return found

    def some_series(self, target: Target, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Series]:
        """The totals of a target that exist among these."""
        found = {}
        for key in keys:
            row = self.db.execute(
                "SELECT created, true, shown FROM series WHERE account=? AND region=? AND family=? AND labels=?",
                (*target, key.family, key.labels_text()),
            ).fetchone()
            if row:
                found[key] = Series.of_row(key, *row)
        return found

    def write_series(self, target: Target, series: Mapping[SeriesKey, Series]) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO series VALUES (?,?,?,?,?,?,?)",
            [(*target, key.family, key.labels_text(), *one.to_row()) for key, one in series.items()],
        )

    def marks(self) -> dict[Target, TargetMarks]:
        """How far each target is known."""
        found = {}
        rows = self.db.execute("SELECT account, region, discovered_until, forgotten_ms FROM target").fetchall()
        for account, region, until, forgotten_ms in rows:
            if not isinstance(until, float) or not isinstance(forgotten_ms, int):
                raise self._nonsense("target", (account, region))
            found[account, region] = TargetMarks(until, forgotten_ms)
        return found

    def mark_discovered(self, target: Target, until: float) -> None:
        self.db.execute(
            "INSERT INTO target (account, region, discovered_until) VALUES (?,?,?) "
            "ON CONFLICT DO UPDATE SET discovered_until=excluded.discovered_until",
            (*target, until),
        )

    def _account(self, identity: Sequence[object], facts: bytes, settled: int) -> Account:
        try:
            return Account(Facts.from_json(facts), bool(settled))
        except ValueError as error:
            raise self._nonsense("job", identity) from error

    def _nonsense(self, table: str, row: Sequence[object]) -> StateError:
        return damaged(self.path, f"table {table}: nonsense in {'/'.join(map(str, row)) or 'it'}")
