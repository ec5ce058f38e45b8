"""Read and write the tables of the shared store in an open session. Statements take whole batches as arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.ledger.connection import Connection
from exporter.ledger.rows import marks_of, record_of, totals_of
from exporter.ledger.session import row
from exporter.ledger.store import JobRecord, LedgerUpdate, Snapshot, StoreError, Target, Totals
from exporter.training.cost import is_unpriced
from exporter.training.job import SAME_JOB_MS, Identity

_SERIES = """
SELECT account, region, family, labels, created, exact, shown FROM series
WHERE (account, region) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_MARKS = """
SELECT account, region, discovered_until, forgotten_ms FROM target
WHERE (account, region) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_ALL_JOBS = "SELECT account, region, name, created_ms, facts, settled FROM job"
_ALL_TARGETS = "SELECT account, region FROM series UNION SELECT account, region FROM target"
_OPEN_JOBS = """
SELECT account, region, name, created_ms FROM job WHERE account = %s AND region = %s AND NOT settled
"""
_UNPRICED_JOBS = """
SELECT account, region, name, created_ms FROM job WHERE account = %s AND region = %s AND unpriced
"""
_FIND = """
SELECT wanted.number, found.created_ms, found.facts, found.settled
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) WITH ORDINALITY
    AS wanted (account, region, name, created_ms, number)
CROSS JOIN LATERAL (
    SELECT * FROM job WHERE (job.account, job.region, job.name) = (wanted.account, wanted.region, wanted.name)
    AND job.created_ms BETWEEN wanted.created_ms - %s AND wanted.created_ms + %s
    ORDER BY abs(job.created_ms - wanted.created_ms), job.created_ms LIMIT 1
) AS found
"""
_DELETE_JOBS = """
WITH deleted AS (
    DELETE FROM job WHERE account = %s AND region = %s
    AND (created_ms < %s AND settled AND NOT unpriced OR created_ms < %s) RETURNING created_ms
) SELECT max(created_ms) FROM deleted
"""
_WRITE_JOBS = """
INSERT INTO job SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::bigint[], %s::boolean[], %s::bytea[], %s::boolean[]
)
ON CONFLICT (account, region, name, created_ms)
DO UPDATE SET settled = excluded.settled, facts = excluded.facts, unpriced = excluded.unpriced
"""
_WRITE_SERIES = """
INSERT INTO series SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::double precision[], %s::text[], %s::text[]
)
ON CONFLICT (account, region, family, labels)
DO UPDATE SET created = excluded.created, exact = excluded.exact, shown = excluded.shown
"""
_WRITE_MARKS = """
INSERT INTO target SELECT * FROM unnest(%s::text[], %s::text[], %s::double precision[], %s::bigint[])
ON CONFLICT (account, region)
DO UPDATE SET discovered_until = excluded.discovered_until, forgotten_ms = excluded.forgotten_ms
"""
_WRITE_PRICES = """
INSERT INTO price_list SELECT * FROM unnest(%s::text[], %s::text[])
ON CONFLICT (region) DO UPDATE SET copy = excluded.copy
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """Read and write the tables in an open session; only targets that are `held` are written."""

    db: Connection
    name: str
    held: Collection[Target]

    def snapshot(self, targets: Collection[Target] | None = None) -> Snapshot:
        """Return the totals and marks of some targets; of all that are held without `targets`."""
        which = _columns(self.held if targets is None else targets, 2)
        with self.db.pipeline():
            series, marks = self.db.execute(_SERIES, which), self.db.execute(_MARKS, which)
        # Within the pipeline, fetching would be a round trip of its own.
        return Snapshot(totals_of(series.fetchall()), marks_of(marks.fetchall()))

    def records(self, identities: Collection[Identity]) -> dict[Identity, JobRecord]:
        wanted = list(identities)
        rows = self.db.execute(_FIND, (*_columns(wanted, 4), SAME_JOB_MS, SAME_JOB_MS)).fetchall()
        found = ((wanted[number - 1], *columns) for number, *columns in rows)
        return {
            identity: record_of(identity._replace(created_ms=created_ms), facts, settled)
            for identity, created_ms, facts, settled in found
        }

    def all_records(self) -> list[JobRecord]:
        """Return the records of all jobs of all targets."""
        rows = self.db.execute(_ALL_JOBS).fetchall()
        return [record_of(Identity(*identity), facts, settled) for *identity, facts, settled in rows]

    def all_targets(self) -> list[Target]:
        """Return all targets that have totals or marks."""
        return [(account, region) for account, region in self.db.execute(_ALL_TARGETS).fetchall()]

    def open_jobs(self, target: Target) -> list[Identity]:
        return [Identity(*found) for found in self.db.execute(_OPEN_JOBS, target).fetchall()]

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        return [Identity(*found) for found in self.db.execute(_UNPRICED_JOBS, target).fetchall()]

    def price_lists(self) -> dict[str, str]:
        return dict(self.db.execute("SELECT region, copy FROM price_list").fetchall())

    def write(self, update: LedgerUpdate) -> None:
        self._check(update.targets)
        with self.db.pipeline():
            self._write(_WRITE_JOBS, _rows_of_jobs(update.records), 7)
            self._write(_WRITE_SERIES, _rows_of_totals(update.totals), 7)
            self._write(_WRITE_MARKS, [(*target, *marks) for target, marks in update.marks.items()], 4)
            self._write(_WRITE_PRICES, list(update.price_lists.items()), 2)

    def delete_records(self, target: Target, settled_before_ms: int, any_before_ms: int) -> int | None:
        self._check({target})
        latest: int | None = row(self.db, _DELETE_JOBS, (*target, settled_before_ms, any_before_ms))[0]
        return latest

    def _check(self, written: Collection[Target]) -> None:
        if lost := set(written).difference(self.held):
            raise StoreError(f"{self.name}: this replica does not hold {', '.join(sorted(map('/'.join, lost)))}")

    def _write(self, query: str, rows: Collection[tuple[Any, ...]], width: int) -> None:
        if rows:
            self.db.execute(query, _columns(rows, width))


def _rows_of_jobs(records: Collection[JobRecord]) -> list[tuple[Any, ...]]:
    # A statement may not write a row twice; of two records of a job the later one is meant.
    distinct = {record.identity: record for record in records}.values()
    return [(*identity, settled, facts.to_json(), is_unpriced(facts.rates)) for identity, facts, settled in distinct]


def _rows_of_totals(totals: Mapping[Target, Totals]) -> list[tuple[Any, ...]]:
    return [
        (*target, key.family, key.labels_text(), *one.to_row())
        for target, series in totals.items()
        for key, one in series.items()
    ]


def _columns(rows: Collection[tuple[Any, ...]], width: int) -> tuple[list[Any], ...]:
    """Return rows as one list per column, to be passed as arrays."""
    return tuple([list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)])
