"""Test that a stopped job counts once under its cause, also with a state file older than causes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from exporter.ledger.accounting import Reading
from exporter.training.job import TrainingJob
from tests.ledger.books import START, job, ledger, readings, shown, true

CAUSES = ("user", "max_runtime", "max_wait", "max_pending", "other")


def stopped(name: str = "train", secondary: str | None = "Stopped", **fields: Any) -> TrainingJob:
    return job(name, status="Stopped", secondary_status=secondary, **fields)


async def test_every_cause_is_there_with_0_and_counts_its_jobs() -> None:
    async with ledger() as books:
        await books.begin((job().account, job().region))
        assert [shown(books, "jobs_stopped", cause) for cause in CAUSES] == [0] * 5
        await books.apply(
            readings(
                stopped(),
                stopped("limit", "MaxRuntimeExceeded"),
                stopped("waited", "MaxWaitTimeExceeded"),
                stopped("pending", "MaxPendingTimeExceeded"),
                stopped("odd", "OutOfPatience"),
                job("done"),
            )
        )
        assert [shown(books, "jobs_stopped", cause) for cause in CAUSES] == [1] * 5
        assert shown(books, "jobs_finished", "Stopped") == 5


async def test_it_counts_under_the_tags_of_the_job() -> None:
    tags = (("team", "vision"),)
    async with ledger() as books:
        await books.apply(readings(stopped(cost_tags=tags)))
        assert shown(books, "jobs_stopped", "user", tags=tags) == 1
        assert shown(books, "jobs_stopped", "max_wait", tags=tags) == 0
        assert shown(books, "jobs_stopped", "user") is None


@pytest.mark.parametrize("backwards", [False, True])
async def test_of_two_readings_of_one_moment_the_one_that_knows_the_cause_counts(backwards: bool) -> None:
    seen = [stopped(secondary=None), stopped(secondary="MaxRuntimeExceeded")]
    async with ledger() as books:
        for one in reversed(seen) if backwards else seen:
            await books.apply(readings(one))
        assert [series for key, series in true(books).items() if "jobs_stopped" in key.family] == [(1000,)]
        assert {key.labels for key in true(books) if "jobs_stopped" in key.family} == {("max_runtime",)}


async def test_a_job_that_an_earlier_version_counted_is_counted_when_it_is_read_again_and_only_then(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    async with ledger(path) as books:
        await books.apply(readings(stopped(), stopped("unread"), settled=True))
    with closing(sqlite3.connect(path)) as db, db:
        # As if written by a version that knew no causes.
        db.execute("DELETE FROM series WHERE family LIKE '%jobs_stopped%'")
        for name, text in db.execute("SELECT name, facts FROM job").fetchall():
            created, tags, known, _ = orjson.loads(text)
            del known["stopped"]
            db.execute("UPDATE job SET facts=? WHERE name=?", (orjson.dumps([created, tags, known]), name))
    for _ in range(2):
        async with ledger(path) as books:
            assert await books.closed([stopped()]) == {stopped().identity}
            # It stays within its retention, and is read for its own series; or its bill was corrected.
            await books.apply([Reading.of(stopped(), settled=True)])
            await books.apply([Reading.of(replace(stopped(), modified=START + 900), settled=True)])
            assert shown(books, "jobs_stopped", "user") == 1
            assert shown(books, "jobs_finished", "Stopped") == 2
            assert min(min(amounts) for amounts in true(books).values()) >= 0
