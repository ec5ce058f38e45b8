"""Test wrong times: a job or a mark from the future, and wrong Date headers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.opening import open_ledger
from exporter.ledger.series import SeriesKey
from exporter.polling.api import LIST, CreatedBetween
from exporter.polling.discovery import Discovery
from exporter.polling.listing import RecordPage
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.simulator import steady
from exporter.training.job import TrainingJob, WarmPool
from tests.polling.pollers import DISCOVERY, INTERVAL, poller, polling
from tests.polling.simulated import DAY, HOUR, START, Settings, exporter
from tests.sagemaker import TARGET, Region, job, jobs, records
from tests.virtual_time import loop_time

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])


class Prophetic(Region):
    """Return a CreationTime one year ahead for the job `ahead`."""

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = super().perform(operation, asked)
        if operation == LIST and "NextToken" not in asked:
            # It is the newest: bounds of the future find it too.
            everything = {**asked, "CreationTimeAfter": 0.0, "CreationTimeBefore": math.inf}
            found, rest = records(answer), records(super().perform(operation, everything))
            found[:0] = [one for one in rest if one["TrainingJobName"] == "ahead" and one not in found]
        for record in records(answer):
            if record["TrainingJobName"] == "ahead":
                record["CreationTime"] = START + 365 * DAY
        return answer


@STRATEGIES
async def test_a_job_from_the_future_counts_and_hides_no_other(search: bool, tmp_path: Path) -> None:
    (ahead,) = steady(1, START + 60, seconds=600)
    later = [replace(job, created=START + 600 + 60 * n) for n, job in enumerate(steady(20, START, seconds=300))]
    region = Prophetic(replace(ahead, name="ahead"), *later)
    async with exporter(region, tmp_path / "db", Settings(search, resync=DAY)) as one:
        await one.live(HOUR)
        assert one.counted("jobs_created") == {(): 21}
        assert one.ledger.marks(TARGET).discovered_until <= region.now()
    region.jobs.add(*steady(5, START + HOUR + 300, "more", seconds=300))
    async with exporter(region, tmp_path / "db", Settings(search, resync=DAY)) as one:
        await one.live(HOUR)
        assert one.counted("jobs_created") == {(): 26}
        assert one.counted("jobs_finished") == {("Completed",): 26}


@STRATEGIES
async def test_a_mark_from_the_future_hides_no_job_after_a_restart(search: bool, tmp_path: Path) -> None:
    region = Region(*steady(5, START + 300, seconds=300))
    async with exporter(region, tmp_path / "db", Settings(search, resync=DAY)) as one:
        await one.live(60)
        await one.ledger.apply((), {TARGET: START + HOUR})
        assert one.ledger.marks(TARGET).discovered_until == START + HOUR
    async with exporter(region, tmp_path / "db", Settings(search, resync=DAY)) as one:
        await one.live(1200)
        assert one.counted("jobs_finished") == {("Completed",): 5}
        assert one.ledger.marks(TARGET).discovered_until <= region.now()


async def test_a_walk_after_one_that_took_its_time_from_a_wrong_clock_finds_what_was_missed() -> None:
    """AWS's clock was believed to be an hour ahead; jobs created then must be found afterwards."""
    now, created = 1_000_000.0, [999_000.0]

    async def listing(span: CreatedBetween, token: str | None) -> RecordPage:
        return RecordPage([record(created=t) for t in created if t >= (span.after or 0.0)], None)

    async def walked(discovery: Discovery, clock: float) -> list[Any]:
        found = [page async for page in discovery.walk(lambda: clock, listing, listing, full=False)]
        return [job.created for page in found for job in page.jobs]

    discovery = Discovery(100_000.0, None)
    assert await walked(discovery, now + HOUR) == created
    created += [now + 1800]
    assert await walked(discovery, now + HOUR + 60) == []
    assert discovery.rejects_until(now + 2000)
    assert created[-1] in await walked(discovery, now + 2000)
    assert not discovery.rejects_until(now + 2001)


def record(**times: float | WarmPool | None) -> TrainingJob:
    return TrainingJob(account="1", region="r", name="job", status="Completed", **times)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "job",
    [
        record(created=START - 900, ended=START - 600, modified=START + 365 * DAY),
        record(created=START - 900, ended=START + 365 * DAY, modified=START - 600),
        record(created=START + 365 * DAY),
        record(created=START - 900, ended=START + 365 * DAY, keep_alive_seconds=300.0),
    ],
    ids=["modified", "ended", "created", "pool"],
)
def test_a_job_with_a_time_in_the_future_is_settled_once_it_stood_still_for_long_enough(job: TrainingJob) -> None:
    tracker = Tracker(TrackerTiming(30.0, 120.0, 3600.0))
    tracker.track(job, 0.0)
    settled = [tracker.read(job, START + at, at, 120.0) for at in (0.0, 60.0, 119.0)]
    assert settled == [True, False, False]
    assert tracker.read(job, START + 120 + (job.keep_alive_seconds or 0.0), 600.0, 120.0)
    tracked = tracker.get("job")
    assert tracked is not None
    assert tracked.settled_at == START + 120 + (job.keep_alive_seconds or 0.0)


def test_a_job_that_ended_just_now_is_not_settled_early_because_the_clock_was_corrected() -> None:
    """At a start the machine's clock may be a day late, until AWS's clock is known."""
    tracker, job = Tracker(TrackerTiming(30.0, 120.0, 3600.0)), record(created=START - 900, ended=START, modified=START)
    tracker.track(job, 0.0)
    tracker.read(job, START - DAY, 0.0, 120.0)
    tracker.read(job, START + 60, 60.0, 120.0)
    tracked = tracker.get("job")
    assert tracked is not None
    assert tracked.settled_at is None


class Lying(Region):
    """Shift the Date of the responses with these numbers by this many seconds."""

    lies: Mapping[int, float] = {}

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        date = formatdate(self.time.now + self.lies.get(len(self.calls), 0.0), usegmt=True)
        return {**super().perform(operation, asked), "ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@STRATEGIES
@pytest.mark.parametrize("wrong", [3600.0, -3600.0, 365 * DAY])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_one_date_that_is_wrong_hides_no_new_job(number: int, wrong: float, search: bool) -> None:
    region = Lying(*jobs(1))
    region.lies = {number: wrong}
    async with open_ledger("", region.clock.time) as ledger:
        async with polling(poller(region, ledger, search=search)):
            await asyncio.sleep(2 * DISCOVERY)
            assert ledger.marks(TARGET).discovered_until <= region.clock.time() + 1
        # And again after a restart.
        one = poller(region, ledger, search=search)
        async with polling(one):
            await asyncio.sleep(DISCOVERY)
            region.jobs.add(job("new", region.clock.time()))
            await asyncio.sleep(2 * DISCOVERY + INTERVAL)
            assert one.tracker.get("new") is not None


@STRATEGIES
async def test_no_bill_is_given_up_while_nobody_knows_whose_clock_is_wrong(search: bool) -> None:
    """The machine's clock is 200 days ahead, and so far no response had the right date."""
    now = loop_time().now
    region = Lying(replace(job("job", now - 3600, now - 1800), billable_ratio=None))
    region.time.ahead = 200 * DAY
    region.lies = dict.fromkeys(range(1, 5), 100 * DAY)
    async with open_ledger("", region.clock.time, 400 * DAY) as ledger:
        one = poller(region, ledger, search=search, lookback=400 * DAY)
        async with polling(one):
            await asyncio.sleep(3 * INTERVAL + 120.0)
            (tracked,) = one.tracker.jobs()
            assert (tracked.read, tracked.settled_at) == (True, None)
        seconds = SeriesKey("sagemaker_training_seconds_total", ("false",), ())
        assert ledger.totals(TARGET)[seconds].shown == (0,)
