"""Test that a bill, or the end of a rule, is awaited for a day after the end of the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.api import DESCRIBE
from exporter.simulator import Life
from exporter.simulator.life import Billing, Group, Phase, Rule, Serverless, WarmPool
from exporter.simulator.request import plain
from exporter.simulator.rng import seeded
from exporter.training.job import Rule as Found
from tests.polling.simulated import DAY, HOUR, START, Exporter, Settings, Shown, due, exporter
from tests.sagemaker import TARGET, Region, error

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
MOVES = pytest.mark.parametrize("moves", [False, True], ids=["in silence", "as a change"])
MINUTE = 60.0
ENDS = START + 10 * MINUTE


def job(**more: Any) -> Life:
    """Return a spot job that trains for eight minutes, until `ENDS`, on two instances, half of it billed."""
    groups = (Group("ml.m5.large", 2),)
    spec = {**plain(seeded(0), *TARGET, groups), "EnableManagedSpotTraining": True}
    phases = (Phase("Starting", MINUTE), Phase("Training", 8 * MINUTE, "", on_instances=True))
    life = Life("train", START + MINUTE, phases, groups=groups, spec=spec, settles_after=20.0, billable_ratio=0.5)
    return replace(life, **more)


def unbilled(**more: Any) -> Life:
    return job(billable_ratio=None, **more)


def described(region: Region) -> list[float]:
    """Return a list that is filled with the time of each describe."""
    times: list[float] = []

    def strike(operation: str, _: str) -> None:
        if operation == DESCRIBE:
            times.append(region.now())

    region.strike = strike
    return times


async def live_until(region: Region, one: Exporter, at: float) -> None:
    """Advance in short steps to the end of the job, and then in longer ones."""
    if region.now() < ENDS:
        await one.live(ENDS - region.now(), 30.0)
    await one.live(at - region.now() - HOUR, 300.0)
    await one.live(at - region.now(), 60.0)


def assert_exact(region: Region, one: Exporter) -> None:
    assert one.sums() == due(region.truth())


@STRATEGIES
@MOVES
@pytest.mark.parametrize("late", [10 * MINUTE, 3 * HOUR, DAY - 1])
async def test_bill_that_comes_late_counts_with_its_training_seconds(search: bool, moves: bool, late: float) -> None:
    region, shown = Region(job(billing=(Billing(late, moves=moves),))), Shown()
    async with exporter(region, settings=Settings(search, retention=3 * HOUR), board=shown) as one:
        await live_until(region, one, ENDS + min(late, 3 * HOUR) - 1)
        assert one.counted("jobs_finished") == {("Completed",): 1}
        assert one.counted("seconds") == one.counted("billable_seconds") == {}
        assert shown.unbilled[-1] == 1
        # At most a quarter of the bill's delay later, or an hour, and then like any change.
        await live_until(region, one, ENDS + late * 1.4 + 5 * MINUTE if late < DAY - 1 else ENDS + DAY + 5 * MINUTE)
        assert one.counted("seconds") == {("true",): 480}
        assert one.counted("billable_instance_seconds") == {("ml.m5.large", "true"): 480}
        assert shown.jobs["train"].billable_seconds == 240
        assert shown.unbilled[-1] == 0
        assert_exact(region, one)
        await one.live(10 * MINUTE)
        assert one.tracker.next_due() == float("inf")


@STRATEGIES
async def test_bill_that_never_comes_is_given_up_after_a_day(search: bool) -> None:
    region, shown = Region(unbilled()), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await live_until(region, one, ENDS + DAY - 1)
        assert one.counted("seconds") == {}
        assert shown.unbilled[-1] == 1
        await one.live(2 * MINUTE)
        assert one.counted("seconds") == {("true",): 480}
        assert one.counted("instance_seconds") == {("ml.m5.large", "true"): 960}
        assert one.counted("billable_seconds") == {}
        assert shown.unbilled[-1] == 0
        assert_exact(region, one)
        calls = len(region.times(DESCRIBE))
        await one.live(DAY, 300.0)
        assert len(region.times(DESCRIBE)) == calls


@STRATEGIES
async def test_job_without_a_bill_is_read_less_and_less_often(search: bool) -> None:
    region = Region(unbilled())
    times = described(region)
    async with exporter(region, settings=Settings(search)) as one:
        await live_until(region, one, ENDS + HOUR)
        await live_until(region, one, ENDS + DAY + HOUR)
    after = [at for at in times if at > ENDS]
    gaps = [b - a for a, b in pairwise(after)]
    assert len(after) < 70
    assert max(gaps) <= HOUR + 300.0
    for at, gap in zip(after, gaps, strict=False):
        assert gap <= max(60.0, 0.4 * (at - ENDS)) + 300.0
    assert after[-1] >= ENDS + DAY


@STRATEGIES
async def test_bill_that_comes_after_it_was_given_up_is_added(search: bool) -> None:
    region = Region(job(billing=(Billing(DAY + 5 * HOUR, moves=True),)))
    async with exporter(region, settings=Settings(search)) as one:
        await live_until(region, one, ENDS + DAY + 2 * HOUR)
        assert one.counted("seconds") == {("true",): 480}
        assert len(one.tracker) == 0
        await live_until(region, one, ENDS + DAY + 7 * HOUR)
        assert one.counted("seconds") == {("true",): 480}
        assert one.counted("billable_seconds") == {("true",): 240}
        assert_exact(region, one)


@STRATEGIES
@MOVES
@pytest.mark.parametrize(("late", "away"), [(30 * MINUTE, HOUR), (23 * HOUR, 22 * HOUR), (23 * HOUR, 3 * DAY)])
async def test_bill_that_comes_in_a_downtime_counts(
    search: bool, moves: bool, late: float, away: float, tmp_path: Path
) -> None:
    region = Region(job(billing=(Billing(late, moves=moves),)))
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await live_until(region, one, ENDS + 20 * MINUTE)
        assert one.counted("seconds") == {}
    region.clock.advance(away)
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await live_until(region, one, max(region.now() + 10 * MINUTE, ENDS + min(late * 1.4, DAY) + 10 * MINUTE))
        assert one.counted("billable_seconds") == {("true",): 240}
        assert_exact(region, one)


@STRATEGIES
async def test_bill_is_given_up_after_a_downtime_over_the_day(search: bool, tmp_path: Path) -> None:
    region = Region(unbilled())
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await live_until(region, one, ENDS + 20 * MINUTE)
    region.clock.advance(40 * DAY)
    # Longer ago than any listing goes back.
    async with exporter(region, tmp_path / "db", Settings(search, lookback=DAY)) as one:
        await one.live(30 * MINUTE)
        assert_exact(region, one)
        assert one.counted("seconds") == {("true",): 480}
        assert await one.ledger.open_jobs(TARGET) == []


@STRATEGIES
async def test_deleted_job_is_given_up_at_once(search: bool) -> None:
    region, shown = Region(job(billing=(Billing(HOUR),), deleted=ENDS + 30 * MINUTE)), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await live_until(region, one, ENDS + 29 * MINUTE)
        assert (one.counted("seconds"), shown.unbilled[-1]) == ({}, 1)
        await live_until(region, one, ENDS + HOUR)
        assert (one.counted("seconds"), shown.unbilled[-1]) == ({("true",): 480}, 0)
        assert_exact(region, one)


@STRATEGIES
@pytest.mark.parametrize("reused", [False, True], ids=["gone", "name used again"])
async def test_job_deleted_in_a_downtime_is_given_up(search: bool, reused: bool, tmp_path: Path) -> None:
    first = unbilled(deleted=ENDS + HOUR)
    region = Region(first, *([replace(job(), created=first.deleted + HOUR)] if reused else []))
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await live_until(region, one, ENDS + 30 * MINUTE)
    region.clock.advance(5 * HOUR)
    async with exporter(region, tmp_path / "db", Settings(search)) as one:
        await one.live(30 * MINUTE)
        assert one.counted("seconds") == {("true",): 480 * (2 if reused else 1)}
        assert_exact(region, one)
        assert await one.ledger.open_jobs(TARGET) == []


NO_WAIT: list[Callable[[], Life]] = [
    lambda: job(phases=(Phase("Starting", 9 * MINUTE),)),
    lambda: unbilled(groups=(), spec={}, serverless=Serverless(10, 2, 1000)),
]


@STRATEGIES
@pytest.mark.parametrize("make", NO_WAIT, ids=["never trained", "serverless"])
async def test_job_that_will_have_no_bill_does_not_wait(search: bool, make: Callable[[], Life]) -> None:
    region, shown = Region(make()), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await live_until(region, one, ENDS + 10 * MINUTE)
        assert one.tracker.next_due() == float("inf")
        assert set(shown.unbilled) == {None, 0}
        assert_exact(region, one)


@STRATEGIES
async def test_pool_of_a_job_without_a_bill_is_read_as_often_as_others(search: bool) -> None:
    spec = job().spec
    spec = {**spec, "ResourceConfig": {**spec["ResourceConfig"], "KeepAlivePeriodInSeconds": 3600}}
    region = Region(unbilled(spec=spec, pool=WarmPool(3500.0, reused_by="next")))
    async with exporter(region, settings=Settings(search)) as one:
        await live_until(region, one, ENDS + 50 * MINUTE)
        assert one.counted("warm_pool_retained_billable_seconds")[()] == pytest.approx(50 * MINUTE, abs=90)


@STRATEGIES
async def test_count_is_unknown_until_ended_jobs_were_read_and_then_never_a_guess(search: bool, tmp_path: Path) -> None:
    region, settings = Region(unbilled()), Settings(search)
    async with exporter(region, tmp_path / "db", settings) as one:
        await live_until(region, one, ENDS + HOUR)
    shown = Shown()
    async with exporter(region, tmp_path / "db", settings, shown) as one:
        await one.live(HOUR)
        assert shown.unbilled == [None, 1]


RULES = (
    Rule("debugger", "LossNotDecreasing", "Stopped", after=265.0, meanwhile="Stopping"),
    Rule("profiler", "ProfilerReport", "NoIssuesFound", after=153.0),
)


@STRATEGIES
@pytest.mark.parametrize("late", [1.0, 300.0], ids=["minutes", "a day"])
async def test_job_is_read_until_its_rules_are_over(search: bool, late: float) -> None:
    rules = tuple(replace(rule, after=rule.after * late) for rule in RULES)
    region, shown = Region(job(rules=rules)), Shown()
    async with exporter(region, settings=Settings(search), board=shown) as one:
        await live_until(region, one, ENDS + 100)
        found = (Found("debugger", "LossNotDecreasing", "Stopping"), Found("profiler", "ProfilerReport", "InProgress"))
        assert shown.jobs["train"].rules == found
        await live_until(region, one, ENDS + 265 * late + max(120.0, 3000 * (late > 1)))
        found = (
            Found("debugger", "LossNotDecreasing", "Stopped"),
            Found("profiler", "ProfilerReport", "NoIssuesFound"),
        )
        assert shown.jobs["train"].rules == found
        await one.live(10 * MINUTE)
        assert one.tracker.next_due() == float("inf")


@STRATEGIES
async def test_rule_that_never_ends_is_given_up_after_a_day(search: bool) -> None:
    region = Region(job(rules=(Rule("debugger", "Overfit", "Stopped", after=float("1e9"), meanwhile="Stopping"),)))
    times = described(region)
    async with exporter(region, settings=Settings(search)) as one:
        await live_until(region, one, ENDS + DAY + 10 * MINUTE)
        assert one.tracker.next_due() == float("inf")
        assert_exact(region, one)
    assert len([at for at in times if at > ENDS]) < 70


@STRATEGIES
async def test_rule_that_goes_on_survives_a_restart(search: bool, tmp_path: Path) -> None:
    region, settings = Region(job(rules=RULES[:1])), Settings(search, settle=60.0)
    async with exporter(region, tmp_path / "db", settings) as one:
        await live_until(region, one, ENDS + 150)
    shown = Shown()
    async with exporter(region, tmp_path / "db", settings, shown) as one:
        await live_until(region, one, ENDS + 500)
        assert shown.jobs["train"].rules == (Found("debugger", "LossNotDecreasing", "Stopped"),)


async def test_unbilled_jobs_are_unknown_until_each_job_was_read() -> None:
    """Only DescribeTrainingJob tells whether there is a bill."""
    region, shown = Region(unbilled()), Shown()
    region.clock.advance(HOUR)

    def strike(operation: str, _: str) -> None:
        if operation == DESCRIBE:
            raise error(DESCRIBE, "ThrottlingException")

    region.strike = strike
    async with exporter(region, board=shown) as one:
        await one.live(20 * MINUTE)
        assert shown.unbilled == [None]
        region.strike = lambda operation, name: None
        await one.live(10 * MINUTE)
        assert shown.unbilled[-1] == 1
        assert 0 not in shown.unbilled
