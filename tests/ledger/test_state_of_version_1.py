"""Test that a file of schema 1, which counted training seconds before the bill, loses nothing and counts nothing twice.

`data/make_state_v1.py` describes how the file was made, and which jobs are in it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.ledger.store import StoreError
from exporter.training.job import Identity
from tests.ledger.books import START, TARGET, job, ledger, readings, running, shown, true

_WRITTEN = Path(__file__).parent / "data" / "state-v1.db"
_TYPE = "ml.m5.large"
_TEAM = (("team", "vision"),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(_WRITTEN, tmp_path / "state.db"))


def _totals_as_written() -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(f"{_WRITTEN.as_uri()}?immutable=1", uri=True)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        rows = db.execute("SELECT family, labels, true FROM series").fetchall()
    return {(family, labels): amounts for family, labels, amounts in rows}


async def test_totals_are_what_they_were(path: Path) -> None:
    async with ledger(path) as books:
        totals = {(key.family, key.labels_text()): one.to_row()[1] for key, one in books.totals(TARGET).items()}
        assert totals == _totals_as_written()


async def test_seconds_that_were_counted_before_the_bill_are_not_counted_with_it(path: Path) -> None:
    async with ledger(path) as books:
        assert shown(books, "seconds", "true") == 180
        for name in ("open-unbilled", "settled-unbilled"):
            await books.apply(readings(job(name, spot=True, billable_seconds=30.0), settled=True))
        assert shown(books, "seconds", "true") == 180
        assert shown(books, "instance_seconds", _TYPE, "true") == 360
        assert shown(books, "billable_seconds", "true") == 60
        assert shown(books, "billable_instance_seconds", _TYPE, "true") == 120
        await books.apply(readings(job("of-a-team", cost_tags=_TEAM)))
        assert shown(books, "seconds", "false", tags=_TEAM) == 90
        assert shown(books, "billable_seconds", "false", tags=_TEAM) == 80


async def test_seconds_of_a_job_that_still_runs_go_on_from_what_was_counted(path: Path) -> None:
    async with ledger(path) as books:
        before = shown(books, "seconds", "false")
        assert before == 90 + 90 + 90 + 40
        await books.apply(readings(job("running-with-seconds")))
        assert shown(books, "seconds", "false") == before + 50


async def test_reading_everything_again_as_it_was_adds_nothing(path: Path) -> None:
    async with ledger(path) as books:
        before = true(books)
        await books.apply(readings(job("billed"), job("serverless", billable_seconds=None, instances=())))
        await books.apply(readings(job("open-unbilled", spot=True, billable_seconds=None)))
        await books.apply(readings(job("settled-unbilled", spot=True, billable_seconds=None), settled=True))
        await books.apply(readings(running("running-with-seconds", training_seconds=40.0)))
        assert true(books) == before


async def test_jobs_that_were_settled_without_a_bill_are_read_again(path: Path) -> None:
    async with ledger(path) as books:
        assert sorted(await books.open_jobs(TARGET) or ()) == [
            # The older job of this name was deleted and cannot be read any more.
            Identity(*TARGET, "name-used-again", round((START + 500) * 1000)),
            job("of-a-team").identity,
            job("open-unbilled").identity,
            job("running-with-seconds").identity,
            job("settled-unbilled").identity,
        ]
        serverless = job("serverless", billable_seconds=None, instances=())
        assert await books.closed([job("billed"), serverless]) == {job("billed").identity, serverless.identity}


async def test_file_is_migrated_once(path: Path) -> None:
    async with ledger(path) as books:
        await books.apply(readings(job("settled-unbilled", spot=True, billable_seconds=None), settled=True))
    async with ledger(path) as books:
        assert job("settled-unbilled").identity not in (await books.open_jobs(TARGET) or ())


@pytest.mark.parametrize("facts", [b"", b"{", b"[]", b"[1.0,[],[]]", b"[1.0,[],7]", b"\xff"])
async def test_a_row_that_no_exporter_can_have_written_is_named(path: Path, facts: bytes) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE job SET facts=? WHERE name='open-unbilled'", (facts,))
    with pytest.raises(StoreError, match=r"table job: invalid data in 111122223333/eu-west-1/open-unbilled"):
        async with ledger(path):
            pass
