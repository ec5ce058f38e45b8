"""Convert rows of a store into records, totals and marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.store import JobRecord, Target, TargetMarks
from exporter.training.facts import Facts
from exporter.training.job import Identity


class RowError(Exception):
    """A row has data that no exporter can have written. The message names the table and the row."""

    def __init__(self, table: str, row: Sequence[object]) -> None:
        super().__init__(f"table {table}: invalid data in {'/'.join(map(str, row)) or 'it'}")


def totals_of(rows: Iterable[Sequence[Any]]) -> dict[Target, dict[SeriesKey, Series]]:
    """Return the totals in rows of account, region, family, labels, created, exact and shown. Raises RowError."""
    found: dict[Target, dict[SeriesKey, Series]] = {}
    for account, region, family, labels, *amounts in rows:
        try:
            key = SeriesKey.of_row(family, labels)
            found.setdefault((account, region), {})[key] = Series.of_row(key, *amounts)
        except ValueError as error:
            raise RowError("series", (account, region, family, labels)) from error
    return found


def marks_of(rows: Iterable[Sequence[Any]]) -> dict[Target, TargetMarks]:
    """Return the marks in rows of account, region, `discovered_until` and `forgotten_ms`. Raises RowError."""
    found = {}
    for account, region, until, forgotten_ms in rows:
        if not isinstance(until, float) or not isinstance(forgotten_ms, int):
            raise RowError("target", (account, region))
        found[account, region] = TargetMarks(until, forgotten_ms)
    return found


def record_of(identity: Identity, facts: bytes, settled: object) -> JobRecord:
    """Return the record of a job from its columns. Raises RowError."""
    try:
        return JobRecord(identity, Facts.from_json(facts), bool(settled))
    except ValueError as error:
        raise RowError("job", identity) from error
