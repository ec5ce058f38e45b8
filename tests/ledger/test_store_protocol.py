"""Test the behaviour that all stores share. Add a parameter to the fixture for another store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import JobRecord, LedgerUpdate, Snapshot, Store, StoreError, TargetMarks
from exporter.training.facts import Facts
from exporter.training.job import Identity
from tests.ledger.books import START, TARGET, Disk, job
from tests.ledger.replicas import held_store

_OTHER = ("444455556666", "us-east-1")
_KEY = SeriesKey("sagemaker_training_jobs_created_total", (), ())
_ONE = Series((1000,), (1000,), START)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture(params=["file", "memory"])
def on_disk(request: pytest.FixtureRequest, tmp_path: Path, disk: Disk) -> Iterator[Store]:
    opened = SqliteStore(str(tmp_path / "state.db") if request.param == "file" else "", START, disk.connect)
    yield opened
    disk.broken, disk.dies_at = False, None
    opened.close()


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=pytest.mark.process)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store
    if request.param == "postgres":
        opened = held_store(request.getfixturevalue("database"), TARGET, _OTHER)
    else:
        opened = SqliteStore(str(tmp_path / "state.db") if request.param == "file" else "", START)
    yield opened
    opened.close()


def record(name: str = "train", created_ms: int = 5000, settled: bool = False, **fields: object) -> JobRecord:
    return JobRecord(Identity(*TARGET, name, created_ms), Facts.of(job(name, created_ms / 1000, **fields)), settled)


def write(store: Store, *records: JobRecord, **update: object) -> None:
    with store.transaction() as transaction:
        transaction.write(LedgerUpdate(records, **update))  # type: ignore[arg-type]


def everything(store: Store, *records: JobRecord) -> tuple[Snapshot, dict[Identity, JobRecord]]:
    return store.snapshot(), dict(store.records([one.identity for one in records]))


def test_a_new_store_is_empty_and_knows_when_it_began(store: Store) -> None:
    assert store.snapshot() == Snapshot()
    assert store.records([record().identity]) == {}
    assert store.open_jobs(TARGET) == []
    assert store.first_start == START


def test_what_was_written_is_read_and_replaced_by_what_is_written_later(store: Store) -> None:
    marks = {TARGET: TargetMarks(START, 7), _OTHER: TargetMarks()}
    write(store, record(), totals={TARGET: {_KEY: _ONE}}, marks=marks)
    write(store, record("second"), totals={_OTHER: {_KEY: _ONE}})
    assert store.snapshot() == Snapshot({TARGET: {_KEY: _ONE}, _OTHER: {_KEY: _ONE}}, marks)
    later, two = record(billable_seconds=7.0, settled=True), _ONE.plus((1000,))
    write(store, later, totals={TARGET: {_KEY: two}}, marks={TARGET: TargetMarks(START + 1, 7)})
    assert store.snapshot().totals == {TARGET: {_KEY: two}, _OTHER: {_KEY: _ONE}}
    assert store.snapshot().marks == {**marks, TARGET: TargetMarks(START + 1, 7)}
    assert list(store.records([later.identity]).values()) == [later]
    assert store.open_jobs(TARGET) == [record("second").identity]
    assert store.open_jobs(_OTHER) == []


@pytest.mark.parametrize("number", [0, 1, 5000])
def test_any_number_of_records_is_read_and_written_at_once(store: Store, number: int) -> None:
    records = [record(f"job-{each}", each) for each in range(number)]
    write(store, *records)
    found = store.records([one.identity for one in records])
    assert found == {one.identity: one for one in records}


def test_a_record_is_found_by_the_nearest_creation_time_within_a_second(store: Store) -> None:
    first, second = record(created_ms=10_000), record(created_ms=11_500)
    write(store, first, second, record("other", created_ms=10_400))
    asked = {ms: first.identity._replace(created_ms=ms) for ms in (9000, 9001, 10_000, 10_700, 10_800, 12_499, 12_500)}
    found = store.records(asked.values())
    assert {ms: found[identity].identity.created_ms for ms, identity in asked.items() if identity in found} == {
        9001: 10_000, 10_000: 10_000, 10_700: 10_000, 10_800: 11_500, 12_499: 11_500,
    }  # fmt: skip


def test_a_transaction_sees_its_own_writes_and_nobody_does_if_it_fails(store: Store) -> None:
    write(store, record(), totals={TARGET: {_KEY: _ONE}})
    before = everything(store, record(), record("second"))

    def fail(error: Exception) -> None:
        with store.transaction() as transaction:
            transaction.write(
                LedgerUpdate([record("second")], {TARGET: {_KEY: _ONE.plus((1000,))}}, {_OTHER: TargetMarks(1.0)})
            )
            assert transaction.delete_records(TARGET, 0, 5001) == 5000
            assert transaction.records([record().identity, record("second").identity]) == {}
            assert transaction.open_jobs(TARGET) == []
            assert transaction.snapshot().marks == {_OTHER: TargetMarks(1.0)}
            raise error

    for error in (StoreError("no"), ValueError("a mistake of ours")):
        with pytest.raises(type(error)):
            fail(error)
        assert everything(store, record(), record("second")) == before
    write(store, record("second"))
    assert len(store.open_jobs(TARGET)) == 2


def test_settled_records_are_deleted_before_a_time_and_open_ones_before_another(store: Store) -> None:
    records = [
        record(f"{created}-{settled}", created, settled) for created in (1, 2, 3, 4) for settled in (True, False)
    ]
    elsewhere = JobRecord(Identity(*_OTHER, "train", 1), records[0].facts, settled=True)
    write(store, *records, elsewhere)
    with store.transaction() as transaction:
        assert transaction.delete_records(TARGET, 4, 2) == 3
        assert transaction.delete_records(TARGET, 4, 2) is None
    left = store.records([one.identity for one in (*records, elsewhere)])
    assert sorted(identity.name for identity in left) == ["2-False", "3-False", "4-False", "4-True", "train"]


def test_every_failure_is_a_store_error_that_names_the_store(on_disk: Store, disk: Disk) -> None:
    write(on_disk, record())
    before = everything(on_disk, record(), record("second"))
    disk.broken = True
    reads: list[Callable[[], object]] = [
        on_disk.snapshot,
        partial(on_disk.records, [record().identity]),
        partial(on_disk.open_jobs, TARGET),
        partial(write, on_disk, record("second")),
    ]
    for read in reads:
        with pytest.raises(StoreError) as failed:
            read()
        assert str(failed.value).startswith(f"{on_disk.name}: cannot be ")
    disk.broken = False
    assert everything(on_disk, record(), record("second")) == before


def test_a_failure_at_any_moment_leaves_all_of_a_transaction_or_nothing(on_disk: Store, disk: Disk) -> None:
    for moment in range(1, 100):
        one, total, mark = record(f"job-{moment}"), _ONE.plus((moment,)), TargetMarks(START + moment)
        disk.moments, disk.dies_at, failed = 0, moment, False
        try:
            write(on_disk, one, totals={TARGET: {_KEY: total}}, marks={TARGET: mark})
        except StoreError:
            failed = True
        disk.dies_at = None
        there = one.identity in on_disk.records([one.identity])
        assert (on_disk.snapshot().totals.get(TARGET) == {_KEY: total}) is there
        assert (on_disk.snapshot().marks.get(TARGET) == mark) is there
        if not failed:
            assert there
            break
    assert moment > 5
