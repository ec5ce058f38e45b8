"""Open stores on a real PostgreSQL, as replicas do."""

from __future__ import annotations

from exporter.ledger.postgres import PostgresStore
from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.store import JobRecord, LedgerUpdate, Snapshot, Target, TargetMarks
from exporter.training.facts import Facts
from tests.ledger.books import START, TARGET, job

GROUP = 7
_KEY = SeriesKey("sagemaker_training_jobs_created_total", (), ())


def opened(url: str) -> PostgresStore:
    """Return the store of a new replica, which is known to the others."""
    store = PostgresStore(url, "the database", "", START)
    store.replicas(GROUP)
    return store


def held_store(url: str, *targets: Target) -> PostgresStore:
    """Return the store of a new replica that holds these targets."""
    store = opened(url)
    for target in targets:
        assert store.hold(target)
        store.claim(target)
    return store


def record(number: int) -> JobRecord:
    return JobRecord(job(f"job-{number}").identity, Facts.of(job(f"job-{number}")), settled=False)


def write(store: PostgresStore, number: int) -> None:
    """Write a record, a total and a mark, which say the number, in one transaction."""
    total = {TARGET: {_KEY: Series((number,), (number,), START)}}
    with store.transaction() as transaction:
        transaction.write(LedgerUpdate([record(number)], total, {TARGET: TargetMarks(START + number)}))


def written(snapshot: Snapshot) -> tuple[int | None, int | None]:
    """Return which number the total and which the mark says."""
    total, mark = snapshot.totals.get(TARGET, {}).get(_KEY), snapshot.marks.get(TARGET)
    return int(total.shown[0]) if total else None, int(mark.discovered_until - START) if mark else None
