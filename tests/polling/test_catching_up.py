"""Test that jobs that ended, or started and ended, during a downtime are counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.polling.api import DESCRIBE, LIST, SEARCH
from exporter.simulator import Consistency, Life, steady, total
from exporter.simulator.generator import Fleet, Plan
from tests.polling.simulated import DAY, HOUR, START, Exporter, Settings, due, exporter
from tests.sagemaker import TARGET, Region, error

pytestmark = pytest.mark.slow

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
# Answers as late as AWS's are.
LATE = Consistency(list_delay=5.0, search_lag=20.0)


def fleet(until: float, most: int = 60) -> list[Life]:
    """Return jobs of every shape, of minutes to an hour each, created from the first start on."""
    plan = Plan(jobs=1, pace=0.25, history=0.0)
    lives = [life for life in Fleet(plan, 1, START, *TARGET).until(until) if START < life.created <= until]
    # In the first hour all of them, so that some run when the downtime begins.
    early = [life for life in lives if life.created < START + HOUR]
    later = lives[len(early) :]
    return early + later[:: 1 + len(later) // most]


def assert_exact(one: Exporter, region: Region) -> None:
    assert one.sums() == due(region.truth())


@STRATEGIES
@pytest.mark.parametrize("down", [3 * HOUR, 2 * DAY, 9 * DAY], ids=["hours", "days", "more than a week"])
async def test_jobs_that_ended_or_began_and_ended_in_a_downtime_count_once(
    down: float, search: bool, tmp_path: Path
) -> None:
    region, state, settings = Region(*fleet(START + HOUR + down), consistency=LATE), tmp_path / "db", Settings(search)
    async with exporter(region, state, settings) as one:
        await one.live(HOUR)
        before = one.counted("jobs_created")[()]
    region.clock.advance(down)
    async with exporter(region, state, settings) as one:
        await one.live(3 * HOUR, step=60)
        assert one.counted("jobs_created")[()] > before
        assert_exact(one, region)
    async with exporter(region, state, settings) as one:
        # With a full resync, which shows them all again.
        await one.live(2 * HOUR, step=60)
        assert_exact(one, region)
        assert one.health.up


@STRATEGIES
async def test_a_downtime_longer_than_the_lookback_loses_nothing(search: bool, tmp_path: Path) -> None:
    settings = Settings(search, lookback=DAY)
    region = Region(*fleet(START + HOUR + 5 * DAY))
    async with exporter(region, tmp_path / "db", settings) as one:
        await one.live(HOUR)
    region.clock.advance(5 * DAY)
    async with exporter(region, tmp_path / "db", settings) as one:
        await one.live(3 * HOUR, step=60)
        assert_exact(one, region)


async def test_a_downtime_longer_than_any_job_lives_loses_nothing(tmp_path: Path) -> None:
    lives = [life for day in range(40) for life in steady(1, START + day * DAY, f"day-{day}", seconds=7200)]
    region = Region(*lives)
    async with exporter(region, tmp_path / "db") as one:
        await one.live(HOUR)
    region.clock.advance(41 * DAY)
    # At the end of the first walk old jobs are forgotten. With a longer lookback they are listed again.
    for lookback in (30 * DAY, 30 * DAY, 90 * DAY):
        async with exporter(region, tmp_path / "db", Settings(lookback=lookback)) as one:
            await one.live(2 * HOUR, step=60)
            assert one.counted("jobs_finished") == {("Completed",): 40}
            assert_exact(one, region)


async def test_the_baseline_stays_the_baseline(tmp_path: Path) -> None:
    (before,) = steady(1, START - 2 * HOUR, "before", seconds=1800)
    # It is shown for a while, as it has ended only now; it does not count either.
    (just_before,) = steady(1, START - HOUR, "just-before", seconds=1800)
    (over,) = steady(1, START - HOUR, "over", seconds=2 * HOUR)
    region = Region(before, just_before, over)
    for _ in range(3):
        async with exporter(region, tmp_path / "db") as one:
            await one.live(2 * HOUR, step=60)
            assert one.counted("jobs_created") == {(): 1}
        region.clock.advance(DAY)
    assert one.sums() == due(total([over], region.now()))


def failing(
    until: float, region: Region, *operations: str, code: str = "ThrottlingException"
) -> Callable[[str, str], None]:
    """Fail these operations until a given time."""

    def strike(operation: str, name: str) -> None:
        if operation in operations and region.now() < until:
            raise error(operation, code)

    return strike


@STRATEGIES
@pytest.mark.parametrize(
    "operations",
    [(LIST, DESCRIBE, SEARCH), (LIST,), (DESCRIBE,), (SEARCH,)],
    ids=["everything", "list", "describe", "search"],
)
async def test_a_target_that_fails_for_two_days_loses_nothing(operations: tuple[str, ...], search: bool) -> None:
    region = Region(*fleet(START + 2 * DAY))
    region.strike = failing(START + 2 * DAY, region, *operations)
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * DAY - HOUR, step=600)
        # Without Search jobs are described, and what is described by Search alone needs no describe.
        assert one.health.up is (operations == (SEARCH,) and not search)
        await one.live(4 * HOUR, step=60)
        assert one.health.up
        assert_exact(one, region)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "Timeout", "InvalidResponse"])
async def test_a_target_that_could_not_even_begin_loses_nothing(code: str, tmp_path: Path) -> None:
    # Known to the file before, and down from the first moment of this process on.
    region = Region(*fleet(START + DAY))
    async with exporter(region, tmp_path / "db") as one:
        await one.live(60)
    region.strike = failing(START + DAY, region, LIST, DESCRIBE, code=code)
    async with exporter(region, tmp_path / "db") as one:
        await one.live(DAY - HOUR, step=600)
        assert one.health.up is False
        await one.live(4 * HOUR, step=60)
        assert_exact(one, region)


async def test_catching_up_that_breaks_off_and_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """There are more jobs than fit on a page; each process reads one or two pages and is killed."""
    lives = [
        replace(life, created=life.created + 60 * n) for n, life in enumerate(steady(450, START + HOUR, seconds=600))
    ]
    region, calls = Region(*lives), 0

    def strike(operation: str, name: str) -> None:
        nonlocal calls
        calls += operation == LIST
        if operation == LIST and calls > 2:
            raise error(LIST, "ThrottlingException")

    async with exporter(region, tmp_path / "db") as one:
        await one.live(60)
    region.clock.advance(12 * HOUR)
    region.strike = strike
    for _ in range(3):
        calls = 0
        async with exporter(region, tmp_path / "db") as one:
            await one.live(30)
            assert one.counted("jobs_created")[()] < 450
    calls = 0
    async with exporter(region, tmp_path / "db") as one:
        await one.live(30)
        # The rest of the walk that broke off, and long before the next resync.
        region.strike = lambda operation, name: None
        await one.live(10 * 60)
        assert one.counted("jobs_finished") == {("Completed",): 450}
        assert_exact(one, region)


async def test_what_a_walk_left_out_when_it_broke_off_is_found_before_the_next_resync() -> None:
    lives = [replace(life, created=life.created + 6 * n) for n, life in enumerate(steady(300, START + 630, seconds=60))]
    region, pages = Region(*lives), 0

    def strike(operation: str, name: str) -> None:
        """Fail all lists for half an hour, then all pages but the newest for some minutes."""
        nonlocal pages
        if operation != LIST or not START + 600 < region.now() < START + 3000:
            return
        if region.now() < START + 2700 or pages:
            raise error(LIST, "ThrottlingException")
        pages += 1

    region.strike = strike
    async with exporter(region) as one:
        await one.live(2900)
        assert one.counted("jobs_created") == {(): 100}
        await one.live(500)
        assert one.counted("jobs_created") == {(): 300}
        assert_exact(one, region)
