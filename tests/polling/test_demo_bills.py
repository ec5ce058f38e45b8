"""Test that no job stays unbilled in the demo, whose bills are late, polled in virtual time."""

from __future__ import annotations

import pytest

from exporter.simulator.answers import describe
from exporter.simulator.generator import DEMO_PACE, Fleet, Plan
from tests.polling.simulated import DAY, START, Settings, Shown, due, exporter
from tests.sagemaker import TARGET, Region

MINUTE = 60.0
# Jobs are created for this long. The last ones end some minutes later, and their bills come after that.
CREATIONS = 5 * MINUTE


@pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
@pytest.mark.parametrize("seed", range(3))
async def test_no_job_of_the_demo_stays_unbilled(seed: int, search: bool) -> None:
    plan = Plan(jobs=20, pace=DEMO_PACE, strange=True)
    region, shown = Region(*Fleet(plan, seed, START, *TARGET).until(START + CREATIONS)), Shown()
    settings = Settings(search, settle=30.0, retention=DAY, backfill=DAY)
    async with exporter(region, settings=settings, board=shown) as one:
        await one.live(CREATIONS)
        ends = max(life.end for life in region.jobs.all())
        bills = max(life.end + step.after for life in region.jobs.all() for step in life.billing)
        await one.live(ends - region.now())
        assert max(count or 0 for count in shown.unbilled) > 0
        await one.live(max(0.0, bills - region.now()) + 8 * MINUTE)
        assert shown.unbilled[-1] == 0
        assert one.sums() == due(region.truth())
        for life in region.jobs.all():
            bill = describe(life, region.now()).get("BillableTimeInSeconds")
            assert life.name not in shown.jobs or shown.jobs[life.name].billable_seconds == bill
