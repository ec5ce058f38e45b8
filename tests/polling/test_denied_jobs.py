"""Test jobs that are denied beside others: they delay none, are logged once, and count once they are readable."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.api import ASSUME, DESCRIBE
from exporter.polling.poller import _PATIENCE
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.simulator import steady
from exporter.training.job import TrainingJob
from tests.logged import field, messages, text
from tests.polling.pollers import INTERVAL, poller, polling
from tests.polling.simulated import DAY, HOUR, START, Settings, exporter
from tests.sagemaker import TARGET, Region, error, job, jobs

DENIED = "AccessDeniedException"


def total(ledger: Ledger, name: str) -> float:
    family = f"sagemaker_training_{name}_total"
    return sum(series.true[0] for key, series in ledger.totals(TARGET).items() if key.family == family) / 1000


@pytest.mark.parametrize("denied", [1, 50, 99])
async def test_others_are_read_at_their_pace_and_the_target_stays_up(
    denied: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    region = Region()
    now = region.clock.time()
    # By a prefix of their ARN: their names are next to each other.
    region.jobs.add(*jobs(denied, name="a"), *jobs(100 - denied, now - 3601, now + 900, name="b"))
    region.failing = {f"a-{n}": DENIED for n in range(denied)}
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger)
        downs = 0
        async with polling(one):
            await asyncio.sleep(3 * INTERVAL)
            since = region.clock.monotonic()
            for _ in range(20):
                await asyncio.sleep(INTERVAL)
                downs += one.health.up is not True
            reads = region.described(since)
            for n in range(100 - denied):
                times = reads[f"b-{n}"]
                # A probe now and then comes on top.
                assert len(times) >= 19
                assert all(b - a <= INTERVAL + 2.5 for a, b in pairwise(times))
            # The extra calls are bounded: each is tried again after twice the time.
            assert sum(len(reads.get(f"a-{n}", ())) for n in range(denied)) <= 5 * denied
            await asyncio.sleep(900 - 23 * INTERVAL + 2 * INTERVAL)
            assert total(ledger, "jobs_finished") == 100 - denied
            assert downs == 0
            # The page says how many there are.
            (message,) = [last.message for (_, code), last in one.health.last_errors.items() if code == DENIED]
            assert message.endswith(f" and {denied - 1} more)" if denied > 1 else "(job a-0)")
    assert messages(caplog).count("a job cannot be read; retrying less often") == denied
    assert "role/secret" not in text(caplog)


@pytest.mark.slow
async def test_a_denied_job_costs_few_calls() -> None:
    region = Region()
    region.jobs.add(job("denied"), *jobs(99))
    region.failing = {"denied": DENIED}
    async with open_ledger("", region.clock.time) as ledger, polling(poller(region, ledger)):
        await asyncio.sleep(3 * INTERVAL)
        since = region.clock.monotonic()
        await asyncio.sleep(2 * HOUR)
        reads = region.described(since)
        assert len(reads.pop("denied")) <= 9
        due = 99 * 2 * HOUR / INTERVAL
        assert abs(sum(map(len, reads.values())) - due) <= 99 + 10


def test_a_job_that_was_denied_for_days_is_tried_once_a_day() -> None:
    tracker = Tracker(TrackerTiming(INTERVAL, 120.0, 3600.0, longest_wait=HOUR))
    tracker.track(TrainingJob(account="1", region="r", name="denied", created=START), 0.0)
    at, waits = 0.0, []
    for number in range(1, 80):
        assert tracker.refuse("denied", at) == number
        (tracked,) = tracker.jobs()
        waits.append(tracked.due - at)
        at += waits[-1]
    assert waits[:8] == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, HOUR, HOUR]
    assert waits[-1] == DAY
    assert tracker.due(at) == []
    assert tracker.due(at, refused=True) == ["denied"]


async def test_a_denied_job_is_read_again_once_the_policy_allows_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    region = Region()
    now = region.clock.time()
    region.jobs.add(*jobs(5), job("denied", now - 3600, now + 600), job("runs", now - 3601))
    region.failing = {"denied": DENIED, "runs": DENIED}
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(7200)
        assert total(ledger, "jobs_created") == 5
        # A listing shows that it ended, which is all that can be known.
        tracked = one.tracker.get("denied")
        assert tracked is not None
        assert tracked.job.terminal
        region.failing = {}
        await asyncio.sleep(3600 + INTERVAL)
        assert total(ledger, "jobs_created") == 7
        assert total(ledger, "jobs_finished") == 1
        since = region.clock.monotonic()
        await asyncio.sleep(10 * INTERVAL)
        assert len(region.described(since)["runs"]) >= 9
    assert messages(caplog).count("a job can be read again") == 2
    assert field(caplog, "job")[-2:] == ["denied", "runs"]


async def test_when_every_describe_is_denied_the_target_is_down_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    region = Region(*jobs(100))
    region.failing = {life.name: DENIED for life in region.jobs.all()}
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(20 * INTERVAL)
        assert one.health.up is False
        assert len(region.times(DESCRIBE)) <= 30 + 20 * INTERVAL
        region.failing = {}
        await asyncio.sleep(3 * INTERVAL)
        assert one.health.up is True
        assert all(tracked.read for tracked in one.tracker.jobs())
    assert len(caplog.records) == 1


@pytest.mark.parametrize("others", [0, 1])
async def test_the_only_job_that_is_denied_takes_the_target_down_and_does_not_flap(others: int) -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(job("denied"), *(job(f"other-{n}", now + 600) for n in range(others)))
    region.failing = {"denied": DENIED}
    seen = []
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        for _ in range(120):
            await asyncio.sleep(15)
            seen.append(one.health.up)
    changes = [b for a, b in pairwise(seen) if a != b]
    # Once another job can be read, the denial belongs to the job.
    assert seen[10] is False
    assert changes == [True][:others]


async def test_a_job_whose_policy_changes_is_denied_alone_though_it_was_the_last_to_be_read() -> None:
    region = Region(*jobs(20))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(3 * INTERVAL)
        for n in range(19):
            region.failing = {**region.failing, f"job-{n}": DENIED}
            await asyncio.sleep(INTERVAL)
            assert one.health.up is True


@pytest.mark.parametrize(
    "code",
    [None, "SomethingNew", "ValidationException", "InternalFailure", "KMSAccessDeniedException"],
    ids=["hangs", "unknown", "validation", "5xx", "kms"],
)
async def test_a_job_that_cannot_be_read_for_another_reason_holds_nobody_up(code: str | None) -> None:
    region = Region()
    region.jobs.add(job("a-bad"), *jobs(50))
    region.failing = {"a-bad": code}
    downs = 0
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        # One that hangs is waited for once, for as long as a call may take.
        await asyncio.sleep(5 * INTERVAL)
        since = region.clock.monotonic()
        for _ in range(40):
            await asyncio.sleep(INTERVAL)
            downs += one.health.up is not True
        reads = region.described(since)
        assert len(reads) in (50, 51)
        for n in range(50):
            times = reads[f"job-{n}"]
            assert len(times) >= 39
            assert all(b - a <= INTERVAL + 2.5 for a, b in pairwise(times))
    assert downs == 0


@pytest.mark.parametrize("denied", [1, 100, 200])
async def test_a_single_run_reads_everything_else_and_says_that_something_is_missing(denied: int) -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(*jobs(denied, name="a"), *jobs(200 - denied, now - 3600, name="b"))
    region.failing = {f"a-{n}": DENIED for n in range(denied)}
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger)
        assert not await one.once()
        assert total(ledger, "jobs_created") == 200 - denied
        assert one.health.up is (denied < 200)


@pytest.mark.slow
async def test_a_job_that_is_denied_for_ever_is_given_up_and_holds_nothing_back() -> None:
    (denied,) = steady(1, START + 60, "denied", seconds=600)
    many = [job for day in range(0, 130, 10) for job in steady(1, START + day * DAY + 60, f"day-{day}", seconds=600)]
    region = Region(denied, *many)

    def strike(operation: str, name: str) -> None:
        if operation == DESCRIBE and name.startswith("denied"):
            raise error(DESCRIBE, DENIED)

    region.strike = strike
    async with exporter(region, settings=Settings(resync=DAY)) as one:
        await one.live(60 * DAY, step=HOUR)
        assert one.health.up
        assert one.ledger.marks(("123456789012", "us-east-1")).discovered_until < START + DAY
        await one.live(60 * DAY, step=HOUR)
        assert _PATIENCE + 30 * DAY < 120 * DAY
        assert one.tracker.get("denied-000000") is None
        assert one.ledger.marks(("123456789012", "us-east-1")).discovered_until > START + 100 * DAY
        assert one.counted("jobs_finished") == {("Completed",): 12}


async def test_a_role_that_may_not_be_assumed_takes_the_target_down() -> None:
    region = Region(*jobs(20))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(3 * INTERVAL)

        def strike(operation: str, name: str) -> None:
            raise error(ASSUME, "AccessDenied")

        region.strike = strike
        since = region.clock.monotonic()
        await asyncio.sleep(INTERVAL)
        assert one.health.up is False
        assert not any(tracked.refused for tracked in one.tracker.jobs())
        assert len(region.times(DESCRIBE, since)) <= 20 + INTERVAL
