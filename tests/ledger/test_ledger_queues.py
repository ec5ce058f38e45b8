"""Test that the queue time of each job is observed once, also with a state file older than this total."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.accounting import Reading
from exporter.training.facts import Facts
from exporter.training.job import Instances, TrainingJob
from tests.ledger.books import START, TARGET, histogram, job, ledger, readings, running, true

_TYPE = "ml.m5.large"
_OLD = Path(__file__).parent / "data" / "state-v1.db"


def queue(name: str = "train", after: float = 40.0, **fields: Any) -> TrainingJob:
    """Return a running job that started this long after its creation."""
    return running(name, started=START + 10 + after, **fields)


async def test_the_wait_counts_once_the_job_starts_and_never_again() -> None:
    async with ledger() as books:
        await books.apply(readings(running()))
        assert histogram(books, "queue_duration_seconds", _TYPE, "false") is None
        for seen in (queue(), queue(), job(started=START + 50)):
            await books.apply(readings(seen))
            assert histogram(books, "queue_duration_seconds", _TYPE, "false") == (1, 40)
        await books.apply(readings(queue("spot", 3600.5, spot=True)))
        assert histogram(books, "queue_duration_seconds", _TYPE, "true") == (1, 3600.5)


async def test_a_job_that_never_starts_is_not_observed() -> None:
    async with ledger() as books:
        await books.apply(readings(job(status="Failed", training_seconds=None, billable_seconds=None)))
        assert not any("queue" in key.family for key in books.totals(TARGET))


async def test_a_heterogeneous_cluster_is_one_observation_of_its_types() -> None:
    groups = (Instances("ml.p4d", "gpu", 1), Instances("ml.c5", "cpu", 2), Instances("ml.c5", "io", 3))
    async with ledger() as books:
        await books.apply(readings(queue(instances=groups)))
        assert [key.labels for key in books.totals(TARGET) if "queue" in key.family] == [("ml.c5,ml.p4d", "false")]
        assert histogram(books, "queue_duration_seconds", "ml.c5,ml.p4d", "false") == (1, 40)


async def test_a_serverless_job_waits_for_no_instances() -> None:
    async with ledger() as books:
        await books.apply(readings(queue(instances=())))
        assert not any("queue" in key.family for key in books.totals(TARGET))


async def test_it_counts_under_the_tags_of_the_job() -> None:
    tags = (("team", "vision"),)
    async with ledger() as books:
        await books.apply(readings(queue(cost_tags=tags)))
        assert histogram(books, "queue_duration_seconds", _TYPE, "false", tags=tags) == (1, 40)
        assert histogram(books, "queue_duration_seconds", _TYPE, "false") is None


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_start_that_a_restart_replaces_stays_the_one_that_was_waited_for(backwards: bool) -> None:
    seen = [queue(), queue(after=7000.0, modified=START + 7010)]
    async with ledger() as books:
        for one in reversed(seen) if backwards else seen:
            await books.apply(readings(one))
        (amounts,) = (series for key, series in true(books).items() if "queue" in key.family)
        assert amounts[-2:] == (1000, 40_000)


def test_the_start_is_of_the_types_that_the_state_file_keeps() -> None:
    facts = Facts.of(queue())
    assert Facts.from_json(facts.to_json()).queued == facts.queued == 40


async def test_a_file_of_an_earlier_version_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = Path(shutil.copy(_OLD, tmp_path / "state.db"))
    async with ledger(path) as books:
        before = true(books)
        # As an earlier version read them.
        await books.apply(readings(job("billed"), running("running-with-seconds", training_seconds=40.0)))
        assert true(books) == before
    for _ in range(2):
        async with ledger(path) as books:
            # Read again: within its retention, or because it still runs.
            await books.apply([Reading.of(job("billed", started=START + 25), settled=True)])
            await books.apply(readings(replace(queue("running-with-seconds", 30.0), training_seconds=40.0)))
            found = true(books)
            assert histogram(books, "queue_duration_seconds", _TYPE, "false") == (2, 45)
            assert {key: amounts for key, amounts in found.items() if "queue" not in key.family} == before
