"""Test how users limit the number of series: fewer jobs, families or minutes, or no series of single jobs at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase

import pytest

from exporter.app import App
from exporter.config import Config
from exporter.simulator import Life
from tests import virtual_time
from tests.e2e.exposed import Exposed
from tests.polling.pollers import INTERVAL, SETTLE
from tests.sagemaker import job, jobs
from tests.service.regions import OFF
from tests.service.test_many_targets import REGIONS, World
from tests.virtual_time import LoopClock, background

JOB = "sagemaker_training_job_"
CREATED = JOB + "creation_timestamp_seconds"


@asynccontextmanager
async def polled(patch: pytest.MonkeyPatch, *more: Life, running: int = 3, **sections: object) -> AsyncIterator[App]:
    """Poll one target with some running jobs and `more` for two intervals."""
    world = World(1, 0)
    world.regions[world.accounts[0], REGIONS[0]].jobs.add(*jobs(running, name="train"), *more)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: world)
    target = {"regions": REGIONS[:1], "role_arn": f"arn:aws:iam::{world.accounts[0]}:role/exporter"}
    config = Config.model_validate({"targets": [target], **OFF, **sections})
    async with App.open(config, LoopClock()) as app, background(app.run(), 2 * INTERVAL):
        yield app


async def exposed(app: App) -> Exposed:
    return Exposed(b"".join([piece async for piece in app.board.metrics(False, False)]).decode())


def names(shown: Exposed, family: str = CREATED) -> set[str]:
    return {labels["job_name"] for labels, _ in shown.rows(family)}


def families(shown: Exposed) -> set[str]:
    return {family.name + "_total" * (family.type == "counter") for family in shown.families}


def assert_counted(shown: Exposed) -> None:
    """Check that `sagemaker_exporter_series` is the number of samples of each family."""
    for labels, number in shown.rows("sagemaker_exporter_series"):
        family = labels["family"]
        parts = [family, f"{family}_bucket", f"{family}_count", f"{family}_sum"]
        assert number == sum(len(shown.rows(part)) for part in parts), family


def test_without_series_of_single_jobs_the_fleet_and_the_totals_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with polled(monkeypatch, jobs={"per_job_metrics": False}) as app:
            shown = await exposed(app)
        assert {name for name in families(shown) if name.startswith(JOB)} == {JOB + "duration_seconds"}
        assert shown.by("sagemaker_training_jobs", "secondary_status") == {("Training",): 3}
        assert shown.value("sagemaker_training_jobs_created_total") == 3
        assert_counted(shown)

    virtual_time.run(scenario())


def test_disabled_families_are_gone_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        disabled = [JOB + "status", "sagemaker_training_*_seconds"]
        async with polled(monkeypatch) as app:
            everything = families(await exposed(app))
        async with polled(monkeypatch, jobs={"disabled_metrics": disabled}) as app:
            shown = await exposed(app)
        gone = everything - families(shown)
        assert gone == {name for name in everything if any(fnmatchcase(name, glob) for glob in disabled)}
        assert len(gone) > 10
        assert names(shown, JOB + "info") == {"train-0", "train-1", "train-2"}
        assert_counted(shown)

    virtual_time.run(scenario())


def test_include_and_exclude_choose_the_jobs_that_have_series(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        now = LoopClock().time()
        more = [job(name, now - 3600) for name in ("train", "train-10", "eval-1", "train-2-debug", "x-train-1")]
        async with polled(monkeypatch, *more, jobs={"include": "train-.*", "exclude": ".*-debug"}) as app:
            shown = await exposed(app)
        assert names(shown) == {"train-0", "train-1", "train-2", "train-10"}
        # Those that are left out run and count all the same.
        assert shown.by("sagemaker_training_jobs", "secondary_status") == {("Training",): 8}
        assert shown.value("sagemaker_training_jobs_created_total") == 8
        assert_counted(shown)

    virtual_time.run(scenario())


@pytest.mark.parametrize("retention", [0.0, 600.0])
def test_an_ended_job_keeps_its_series_for_the_retention(retention: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        clock = LoopClock()
        ended = clock.time() + 90
        async with polled(monkeypatch, job("short", ended - 300, ended), jobs={"retention": retention}) as app:
            while "short" in names(shown := await exposed(app)):
                await asyncio.sleep(15)
            # The settle time begins when the end is seen, and its end is seen an interval later at most.
            assert SETTLE + retention <= clock.time() - ended <= SETTLE + retention + 2 * INTERVAL + 20
            assert names(shown) == {"train-0", "train-1", "train-2"}
            assert shown.by("sagemaker_training_jobs_finished_total", "status") == {("Completed",): 1}
            assert_counted(shown)

    virtual_time.run(scenario())


def test_an_ended_job_whose_retention_is_over_gets_no_series_at_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        now = LoopClock().time()
        more = [job("old", now - 9000, now - 4000), job("recent", now - 9000, now - 1000)]
        async with polled(monkeypatch, *more) as app:
            assert names(await exposed(app)) == {"train-0", "train-1", "train-2", "recent"}

    virtual_time.run(scenario())
