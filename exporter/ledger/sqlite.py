"""Implement the store on SQLite: a state file with the record of each job, and the totals.

One process owns the file through an exclusive lock. Each transaction changes records and totals together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from exporter.ledger.openfile import OpenFile
from exporter.ledger.reasons import reason
from exporter.ledger.rows import RowError, marks_of, record_of, totals_of
from exporter.ledger.statefile import MEMORY, Connect, Schema, damaged
from exporter.ledger.store import Content, JobRecord, LedgerUpdate, Snapshot, StoreError, Target, TargetMarks, Totals
from exporter.training.cost import is_unpriced
from exporter.training.job import SAME_JOB_MS, Identity

# Version 1 counted training seconds before the bill. Such jobs are marked, or the seconds would be counted again with
# the bill. Jobs that were settled without a bill are reopened, as the bill may have arrived since; but of two jobs with
# the same name only the newer one can still be described. Invalid rows are left to `Tables.check`, which reports them.
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

# Version 2 had no prices. Its jobs have no rates, and are in no cost total and not among the unpriced instance seconds,
# until they are read again.
_PRICES = """
ALTER TABLE job ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
CREATE TABLE price_list (region TEXT PRIMARY KEY, copy TEXT NOT NULL) WITHOUT ROWID
"""

SCHEMA = Schema(
    version=3,
    script="""
CREATE TABLE first_start (seconds REAL NOT NULL);
CREATE TABLE job (
    account TEXT, region TEXT, name TEXT, created_ms INTEGER, settled INTEGER NOT NULL, facts BLOB NOT NULL,
    unpriced INTEGER NOT NULL DEFAULT 0,
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
CREATE TABLE price_list (region TEXT PRIMARY KEY, copy TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO first_start VALUES (:now)
""",
    migrations={1: _COUNTED_BEFORE_THE_BILL, 2: _PRICES},
)


class SqliteStore:
    """A store in a state file; without a path it is in memory and is lost with the process."""

    def __init__(
        self, path: str, now: float | None, connect: Connect = sqlite3.connect, schema: Schema = SCHEMA
    ) -> None:
        """Open the file. With `now` (Unix seconds) it may be created, with it as the first start. Raises StoreError."""
        self._file = OpenFile(path or MEMORY, schema, connect)
        try:
            with self._reading(now) as tables:
                self.first_start = tables.first_start()
                tables.check()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return self._file.path

    def close(self) -> None:
        self._file.close()

    def snapshot(self) -> Snapshot:
        with self._reading() as tables:
            return tables.snapshot()

    def records(self, identities: Collection[Identity]) -> dict[Identity, JobRecord]:
        with self._reading() as tables:
            return tables.records(identities)

    def open_jobs(self, target: Target) -> list[Identity]:
        with self._reading() as tables:
            return tables.open_jobs(target)

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        with self._reading() as tables:
            return tables.unpriced_jobs(target)

    def price_lists(self) -> dict[str, str]:
        with self._reading() as tables:
            return tables.price_lists()

    def content(self) -> Content:
        with self._reading() as tables:
            return Content(self.first_start, tables.all_records(), tables.snapshot(), tables.price_lists())

    def fill(self, content: Content) -> None:
        with self.transaction() as tables:
            tables.db.execute("UPDATE first_start SET seconds=?", (content.first_start,))
            tables.write(content.as_update())

    @contextmanager
    def transaction(self) -> Iterator[Tables]:
        """Run a transaction; after an error it is rolled back, and the next one reopens the file."""
        with self._naming("written"):
            # Outside of `try`: if this fails, the open connection may be the only place that still has the totals, and
            # must not be closed.
            self._file.stay()
        try:
            with self._naming("written"):
                tables = self._tables()
                tables.db.execute("BEGIN IMMEDIATE")
                yield tables
                tables.db.execute("COMMIT")
                self._file.committed()
        except BaseException:
            self._file.abandon()
            raise

    @contextmanager
    def _reading(self, now: float | None = None) -> Iterator[Tables]:
        with self._naming("read"):
            yield self._tables(now)

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Turn errors of SQLite into StoreErrors, which name the file and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.name}: cannot be {what}: {reason(self.name, error)}") from error
        except RowError as error:
            raise damaged(self.name, error) from error

    def _tables(self, now: float | None = None) -> Tables:
        return Tables(self._file.connection(now))


@dataclass(frozen=True, slots=True)
class Tables:
    """Read and write the tables of an open file. Raises RowError for rows that no exporter can have written."""

    db: sqlite3.Connection

    def snapshot(self) -> Snapshot:
        series = self.db.execute("SELECT account, region, family, labels, created, true, shown FROM series").fetchall()
        marks = self.db.execute("SELECT account, region, discovered_until, forgotten_ms FROM target").fetchall()
        return Snapshot(totals_of(series), marks_of(marks))

    def first_start(self) -> float:
        """Return when an exporter first used this file (Unix seconds)."""
        rows = self.db.execute("SELECT seconds FROM first_start").fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], float):
            raise RowError("first_start", rows)
        return rows[0][0]

    def check(self) -> None:
        """Read every row once, so that invalid ones stop the start and not a later transaction."""
        self.snapshot()
        self.price_lists()
        for _ in self._records():
            pass

    def all_records(self) -> list[JobRecord]:
        """Return the records of all jobs."""
        return list(self._records())

    def _records(self) -> Iterator[JobRecord]:
        query = "SELECT account, region, name, created_ms, facts, settled, unpriced FROM job"
        with closing(self.db.execute(query)) as rows:
            for *identity, facts, settled, unpriced in rows:
                if not isinstance(identity[-1], int) or {settled, unpriced} - {0, 1}:
                    raise RowError("job", identity)
                yield record_of(Identity(*identity), facts, settled)

    def records(self, identities: Collection[Identity]) -> dict[Identity, JobRecord]:
        """Return the records of these jobs. One statement per job is fast enough: SQLite runs in this process, and
        compiles the statement once."""
        found = {}
        for identity in identities:
            if record := self._find(identity, 0) or self._find(identity, SAME_JOB_MS):
                found[identity] = record
        return found

    def _find(self, identity: Identity, tolerance_ms: int) -> JobRecord | None:
        *named, created_ms = identity
        row = self.db.execute(
            "SELECT created_ms, facts, settled FROM job WHERE account=? AND region=? AND name=? "
            "AND created_ms BETWEEN ? AND ? ORDER BY abs(created_ms-?) LIMIT 1",
            (*named, created_ms - tolerance_ms, created_ms + tolerance_ms, created_ms),
        ).fetchone()
        return row and record_of(identity._replace(created_ms=row[0]), *row[1:])

    def open_jobs(self, target: Target) -> list[Identity]:
        rows = self.db.execute(
            "SELECT account, region, name, created_ms FROM job WHERE account=? AND region=? AND settled=0", target
        )
        return [Identity(*row) for row in rows]

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        rows = self.db.execute(
            "SELECT account, region, name, created_ms FROM job WHERE account=? AND region=? AND unpriced=1", target
        )
        return [Identity(*row) for row in rows]

    def price_lists(self) -> dict[str, str]:
        found = dict(self.db.execute("SELECT region, copy FROM price_list").fetchall())
        if not all(isinstance(text, str) for pair in found.items() for text in pair):
            raise RowError("price_list", ())
        return found

    def write(self, update: LedgerUpdate) -> None:
        self._write_records(update.records)
        self._write_totals(update.totals)
        self._write_marks(update.marks)
        if update.price_lists:
            self.db.executemany("INSERT OR REPLACE INTO price_list VALUES (?,?)", list(update.price_lists.items()))

    def delete_records(self, target: Target, settled_before_ms: int, any_before_ms: int) -> int | None:
        deleted = self.db.execute(
            "DELETE FROM job WHERE account=? AND region=? "
            "AND (created_ms<? AND settled=1 AND unpriced=0 OR created_ms<?) RETURNING created_ms",
            (*target, settled_before_ms, any_before_ms),
        ).fetchall()
        return max(deleted)[0] if deleted else None

    def _write_records(self, records: Collection[JobRecord]) -> None:
        if records:
            self.db.executemany(
                "INSERT OR REPLACE INTO job VALUES (?,?,?,?,?,?,?)",
                [
                    (*identity, int(settled), facts.to_json(), int(is_unpriced(facts.rates)))
                    for identity, facts, settled in records
                ],
            )

    def _write_totals(self, totals: Mapping[Target, Totals]) -> None:
        rows = [
            (*target, key.family, key.labels_text(), *one.to_row())
            for target, series in totals.items()
            for key, one in series.items()
        ]
        if rows:
            self.db.executemany("INSERT OR REPLACE INTO series VALUES (?,?,?,?,?,?,?)", rows)

    def _write_marks(self, marks: Mapping[Target, TargetMarks]) -> None:
        if marks:
            self.db.executemany(
                "INSERT OR REPLACE INTO target (account, region, discovered_until, forgotten_ms) VALUES (?,?,?,?)",
                [(*target, *one) for target, one in marks.items()],
            )
