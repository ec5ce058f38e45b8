"""Test that a job is read until it is settled, then costs no calls, and that counts of a deleted job stay."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.api import DESCRIBE, LIST
from exporter.simulator import Consistency, Life
from exporter.simulator.life import Billing, Group, Phase, WarmPool
from exporter.simulator.request import plain
from exporter.simulator.rng import seeded
from tests.polling.simulated import DAY, HOUR, START, Exporter, Settings, Shown, due, exporter
from tests.sagemaker import TARGET, Region

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
MINUTE = 60.0
ENDS = START + 10 * MINUTE


def job(keep_alive: int = 0, **more: Any) -> Life:
    """Return a job that trains for eight minutes, until `ENDS`, on two instances."""
    groups = (Group("ml.m5.large", 2),)
    spec = plain(seeded(0), *TARGET, groups)
    if keep_alive:
        spec["ResourceConfig"] = {**spec["ResourceConfig"], "KeepAlivePeriodInSeconds": keep_alive}
    phases = (Phase("Starting", MINUTE), Phase("Training", 8 * MINUTE, "", on_instances=True))
    life = Life("train", START + MINUTE, phases, groups=groups, spec=spec, settles_after=20.0)
    return replace(life, **more)


def assert_exact(one: Exporter, region: Region) -> None:
    assert one.sums() == due(region.truth())


async def reads(region: Region, one: Exporter, seconds: float) -> int:
    """Return how many describes this time takes."""
    before = len(region.times(DESCRIBE))
    await one.live(seconds)
    return len(region.times(DESCRIBE)) - before


@STRATEGIES
async def test_a_settled_job_costs_nothing_more(search: bool, tmp_path: Path) -> None:
    region, settings = Region(job()), Settings(search)
    async with exporter(region, tmp_path / "db", settings) as one:
        assert await reads(region, one, 15 * MINUTE) > 0
        await one.live(20 * MINUTE)
        assert await reads(region, one, 5 * HOUR) == 0
    async with exporter(region, tmp_path / "db", settings) as one:
        # Nor after a restart, when its series are not kept any more.
        assert await reads(region, one, 3 * HOUR) == 0
        assert_exact(one, region)


@STRATEGIES
async def test_a_bill_that_comes_late_and_is_corrected_counts(search: bool) -> None:
    region = Region(job(billing=(Billing(100, 0.5), Billing(200, 1.0))))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(HOUR)
        assert one.counted("billable_instance_seconds") == {("ml.m5.large", "false"): 960}
        assert_exact(one, region)


@STRATEGIES
async def test_a_settled_job_that_changes_is_read_again_at_the_next_resync(search: bool) -> None:
    region = Region(job(billing=(Billing(0, 0.5), Billing(3 * HOUR, 1.0)), settles_after=3 * HOUR))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * HOUR)
        assert one.counted("billable_seconds") == {("false",): 240}
        assert one.tracker.get("train") is None
        await one.live(4 * HOUR)
        assert one.counted("billable_seconds") == {("false",): 480}
        assert_exact(one, region)


@STRATEGIES
async def test_a_settled_job_that_changed_in_a_downtime_is_read_again(search: bool, tmp_path: Path) -> None:
    region = Region(job(billing=(Billing(0, 0.5), Billing(3 * HOUR, 1.0)), settles_after=3 * HOUR))
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await one.live(HOUR)
    region.clock.advance(DAY)
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await one.live(30 * MINUTE)
        assert one.counted("billable_seconds") == {("false",): 480}
        assert_exact(one, region)


async def test_what_the_index_says_of_an_ended_job_is_not_the_last_word(tmp_path: Path) -> None:
    training = Phase("Training", 30 * MINUTE, "", on_instances=True)
    life = job(phases=(training,), billing=(Billing(70),))
    region = Region(life, consistency=Consistency(search_lag=80.0))
    async with exporter(region, tmp_path / "db", Settings(search=True)) as one:
        await one.live(2 * MINUTE)
    # Now it could be settled by what the index has, which is no bill.
    region.clock.advance(life.end + 145 - region.now())
    async with exporter(region, tmp_path / "db", Settings(search=True)) as one:
        await one.live(30 * MINUTE)
        assert one.counted("billable_seconds") == {("false",): 1800}


@STRATEGIES
async def test_a_pool_is_read_for_as_long_as_it_is_kept(search: bool) -> None:
    region = Region(job(6 * 3600, pool=WarmPool(6 * HOUR - 1, appears_after=5.0)))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * HOUR)
        two_hours = one.counted("warm_pool_retained_billable_seconds")[()]
        assert two_hours == pytest.approx(2 * HOUR - 10 * MINUTE, abs=60)
        assert await reads(region, one, HOUR) > 50
        assert one.counted("warm_pool_retained_billable_seconds")[()] == pytest.approx(two_hours + HOUR, abs=60)
        await one.live(4 * HOUR)
        assert_exact(one, region)
        assert await reads(region, one, 2 * HOUR) == 0


@STRATEGIES
async def test_a_pool_that_never_shows_up_is_waited_for_no_longer_than_it_could_live(search: bool) -> None:
    region = Region(job(1800, pool=WarmPool(0.0, shows=False)))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(30 * MINUTE)
        assert await reads(region, one, 10 * MINUTE) > 10
        await one.live(10 * MINUTE)
        # Keep-alive and settle time are over.
        assert await reads(region, one, 3 * HOUR) == 0
        assert one.counted("warm_pool_retained_billable_seconds") == {}
        assert_exact(one, region)


@STRATEGIES
async def test_a_pool_that_shows_up_late_is_not_missed(search: bool) -> None:
    region = Region(job(1800, pool=WarmPool(1700.0, appears_after=300.0, reused_by="next")))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * HOUR)
        assert one.counted("warm_pool_retained_billable_seconds") == {(): 1700}
        assert one.counted("warm_pool_reuses") == {(): 1}
        assert_exact(one, region)


@STRATEGIES
async def test_a_deleted_job_stays_in_the_totals_and_is_asked_for_no_more(search: bool) -> None:
    # Before it is settled.
    region, shown = Region(job(deleted=ENDS + 80)), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await one.live(10 * MINUTE)
        assert list(shown.jobs) == ["train"]
        await one.live(10 * MINUTE)
        assert shown.jobs == {}
        assert await reads(region, one, 3 * HOUR) == 0
        assert one.health.up
        assert one.counted("jobs_finished") == {("Completed",): 1}
        assert_exact(one, region)


@STRATEGIES
async def test_a_job_that_is_being_deleted_counts_as_it_ended(search: bool) -> None:
    # The job is Deleting for an hour, and was not read between its end and that time.
    region = Region(job(deleted=ENDS + 1, deleting_seconds=HOUR))
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * HOUR)
        assert one.counted("jobs_finished") == {("Completed",): 1}
        assert one.counted("seconds") == {("false",): 480}
        assert_exact(one, region)


@STRATEGIES
async def test_a_job_deleted_after_it_was_settled_stays_in_the_totals(search: bool, tmp_path: Path) -> None:
    region = Region(job(deleted=ENDS + 2 * HOUR))
    for _ in range(2):
        async with exporter(region, tmp_path / "db", Settings(search)) as one:
            await one.live(3 * HOUR)
            assert one.counted("jobs_finished") == {("Completed",): 1}
            assert_exact(one, region)


@STRATEGIES
@pytest.mark.parametrize("gap", [90.0, 2 * HOUR], ids=["at once", "after it was settled"])
async def test_a_name_used_again_is_another_job(gap: float, search: bool) -> None:
    first = job(deleted=ENDS + gap)
    second = replace(job(), created=round(first.deleted + 5, 3))
    region, shown = Region(first, second), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await one.live(gap + 15 * MINUTE)
        assert shown.jobs["train"].created == second.created
        await one.live(HOUR)
        assert one.counted("jobs_created") == {(): 2}
        assert one.counted("jobs_finished") == {("Completed",): 2}
        assert_exact(one, region)
        # Nothing is left to come of the first one either.
        assert await one.ledger.open_jobs(TARGET) == []


@STRATEGIES
async def test_a_name_used_again_in_a_downtime_is_another_job(search: bool, tmp_path: Path) -> None:
    first = job(deleted=ENDS + HOUR)
    second = replace(job(), created=first.deleted + HOUR)
    region = Region(first, second)
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        # Long enough for the end of the first to be read.
        await one.live(11 * MINUTE)
    region.clock.advance(DAY)
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await one.live(HOUR)
        assert one.counted("jobs_finished") == {("Completed",): 2}
        assert_exact(one, region)
        assert await one.ledger.open_jobs(TARGET) == []


def vanishing(region: Region, life: Life) -> Callable[[str, str], None]:
    """Delete the job the moment it is described for the first time."""

    def strike(operation: str, name: str) -> None:
        if operation == DESCRIBE and life in region.jobs.all():
            region.jobs.replace(life, replace(life, deleted=region.now()))

    return strike


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFound"])
async def test_a_job_that_vanishes_between_list_and_describe_is_dropped_and_no_error(code: str) -> None:
    life = job(ending=None)
    region, shown = Region(life), Shown()
    region.consistency = replace(region.consistency, missing_code=code)
    region.strike = vanishing(region, life)
    async with exporter(region, settings=Settings(), board=shown) as one:
        await one.live(5 * MINUTE)
        assert len(region.times(DESCRIBE)) == 1
        assert (len(one.tracker), shown.jobs) == (0, {})
        assert one.health.up
        assert one.counted("jobs_created") == {}
        assert await reads(region, one, 3 * HOUR) == 0
    assert len(region.times(LIST)) > 100


async def test_a_job_that_vanishes_in_a_downtime_counts_as_it_was_read_last(tmp_path: Path) -> None:
    region = Region(job(ending=None, deleted=START + HOUR))
    async with exporter(region, tmp_path / "db") as one:
        await one.live(30 * MINUTE)
    region.clock.advance(HOUR)
    async with exporter(region, tmp_path / "db") as one:
        await one.live(HOUR)
        assert one.counted("jobs_created") == {(): 1}
        assert one.counted("jobs_finished") == {}
        assert one.health.up
        assert one.tracker.next_due() == math.inf
    async with exporter(region, tmp_path / "db") as one:
        assert await reads(region, one, HOUR) == 0
