"""Test that every job gets its turn while the target seems to fail: the only readable one is found, wherever it is."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE
from exporter.simulator import Consistency
from tests.polling.pollers import INTERVAL, poller, polling
from tests.sagemaker import Region, jobs

DENIED = "AccessDeniedException"
JOBS = 100


def denied(name: str, number: int) -> dict[str, str | None]:
    return {f"{name}-{n}": DENIED for n in range(number)}


@pytest.mark.parametrize("latency", [0.0, 0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("before", [0, 40, JOBS - 1])
async def test_the_only_job_that_is_not_denied_is_found_and_the_target_stays_up(before: int, latency: float) -> None:
    region = Region(latency=latency, failing=denied("a", JOBS - 1))
    denied_jobs = jobs(JOBS - 1, name="a")
    region.jobs.add(*denied_jobs[:before], *jobs(1, name="b"), *denied_jobs[before:])
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        # A call takes a tick of a second and the latency, and a tick in which no job is due has none.
        await asyncio.sleep(2 * JOBS * (1.0 + latency))
        found = region.described()["b-0"][0]
        assert sum(at < found for at in region.times(DESCRIBE)) <= 1.5 * JOBS
        await asyncio.sleep(2 * INTERVAL)
        for _ in range(20):
            await asyncio.sleep(INTERVAL)
            assert one.health.up is True


@pytest.mark.parametrize("latency", [0.0, 0.2])
async def test_while_all_jobs_are_denied_they_are_tried_in_turn(latency: float) -> None:
    region = Region(*jobs(JOBS, name="a"), latency=latency, failing=denied("a", JOBS))
    async with open_ledger("", region.clock.time) as ledger, polling(poller(region, ledger)):
        await asyncio.sleep(3 * INTERVAL)
        since = region.clock.monotonic()
        await asyncio.sleep(40 * INTERVAL)
    reads = region.described(since)
    assert len(reads) == JOBS
    assert sum(map(len, reads.values())) <= 40 * INTERVAL
    # The jobs whose slots are in one tick share its call, and chance does not make their numbers the same.
    assert all(b - a <= 10 * INTERVAL for times in reads.values() for a, b in pairwise(times))


async def test_jobs_that_the_index_lacks_are_tried_in_turn() -> None:
    # So late that the sweeps never show the jobs.
    region = Region(consistency=Consistency(search_lag=86400.0), failing=denied("a", JOBS - 1))
    now = region.clock.time()
    region.jobs.add(*jobs(JOBS - 1, now - 60, name="a"), *jobs(1, now - 60, name="b"))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger, search=True)):
        # Each sweep makes all of them due, and one is tried then.
        await asyncio.sleep((JOBS + 10) * INTERVAL)
        assert "b-0" in region.described()
        assert one.health.up is True


async def test_when_a_policy_changes_sides_the_jobs_that_were_denied_before_are_found() -> None:
    region = Region(*jobs(50, name="a"), *jobs(50, name="b"), failing=denied("a", 50))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(40 * INTERVAL)
        assert one.health.up is True
        region.failing = denied("b", 50)
        await asyncio.sleep(4 * INTERVAL)
        assert one.health.up is False
        # A denied job is retried once an hour at the least.
        await asyncio.sleep(3600)
        assert one.health.up is True
        await asyncio.sleep(3600)
        assert all(bool(tracked.refused) == tracked.job.name.startswith("b") for tracked in one.tracker.jobs())
        assert one.health.up is True


async def test_denied_jobs_cost_a_failing_target_two_calls_an_interval() -> None:
    region = Region(*jobs(50, name="a"), *jobs(1, name="b"), failing=denied("a", 50))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(40 * INTERVAL)
        region.failing = {DESCRIBE: DENIED}
        since = region.clock.monotonic()
        await asyncio.sleep(7200)
        assert one.health.up is False
        # And one for the other job.
        assert len(region.times(DESCRIBE, since)) <= 3 * 7200 / INTERVAL + 2
