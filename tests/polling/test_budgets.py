"""Test the number of AWS calls of polling, by strategy, as a function of active, new and ended jobs."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH
from tests.polling.pollers import DISCOVERY, INTERVAL, SETTLE, poller, polling
from tests.sagemaker import Region, job, jobs

pytestmark = pytest.mark.slow

ACTIVE, ROUNDS = 2000, 4
# Reads come with the next tick, and the calls of a tick one after the other.
TICK = 2.5


def busiest(times: Sequence[float], span: float) -> int:
    """Return the largest number of calls within any span of that length."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


async def watched(region: Region, *, search: bool, seconds: float = ROUNDS * INTERVAL, rps: float = 1000.0) -> float:
    """Poll for a while after every job has been read and has its slot; return when that was."""
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=search, rps=rps)
        async with polling(one):
            await one.tried.wait()
            await asyncio.sleep(2 * INTERVAL)
            settled_in = region.clock.monotonic()
            await asyncio.sleep(seconds)
            assert one.health.up
    return settled_in


async def test_describe_asks_once_for_each_job_and_interval_and_lists_once_a_discovery() -> None:
    region = Region(*jobs(ACTIVE))
    since = await watched(region, search=False)
    reads = region.described(since)
    assert len(reads) == ACTIVE
    for name, times in reads.items():
        assert ROUNDS - 1 <= len(times) <= ROUNDS + 1, name
        assert all(abs(b - a - INTERVAL) <= TICK for a, b in pairwise(times)), name
    described, listed = region.times(DESCRIBE, since), region.times(LIST, since)
    assert abs(len(described) - ROUNDS * ACTIVE) <= ACTIVE * TICK / INTERVAL
    # An even spread has a tenth of the calls in any tenth of an interval.
    assert busiest(described, INTERVAL / 10) <= ACTIVE / 10 * 1.4
    assert len(listed) == ROUNDS * INTERVAL / DISCOVERY
    assert all(b - a == pytest.approx(DISCOVERY, abs=0.1) for a, b in pairwise(listed))
    assert {call.operation for call in region.calls} == {DESCRIBE, LIST}


@pytest.mark.parametrize(("active", "rps"), [(2000, 1000.0), (2000, 1.0), (150, 1.0), (0, 1.0)])
async def test_search_asks_once_for_a_hundred_jobs_and_interval(active: int, rps: float) -> None:
    region = Region(*jobs(active))
    since = await watched(region, search=True, rps=rps)
    pages = max(1, math.ceil(active / 100))
    times = [call.at for call in region.calls if call.at >= since]
    assert len(times) <= ROUNDS * (active / 100 + 2)
    assert (ROUNDS - 1) * pages <= len(region.times(SEARCH, since)) <= ROUNDS * pages + 1
    assert busiest(times, INTERVAL - 0.5) <= pages + 2
    assert region.described() == {}


@pytest.mark.parametrize("active", [90, 2000])
async def test_a_start_by_search_walks_the_index_once(active: int) -> None:
    region = Region(*jobs(active))
    async with open_ledger("", region.clock.time) as ledger:
        for _ in ("first start", "restart"):
            region.calls.clear()
            one = poller(region, ledger, search=True)
            assert await one.once()
            assert len(one.tracker) == active
            assert all(tracked.read for tracked in one.tracker.jobs())
            assert Counter(call.operation for call in region.calls) == {LIST: 1, SEARCH: math.ceil(active / 100)}


async def _churned(search: bool, active: int, new: int, ended: int) -> tuple[Region, float, float]:
    """Poll for twenty intervals; in the tenth, `new` jobs are created and `ended` others end."""
    region = Region()
    begin = region.clock.time()
    event = begin + 2.5 * INTERVAL + 10 * INTERVAL
    region.jobs.add(*jobs(active, begin - 3600))
    region.jobs.add(*jobs(new, event, name="new"), *jobs(ended, begin - 3600, event, name="ended"))
    since = await watched(region, search=search, seconds=20 * INTERVAL)
    return region, since, event - region.time.start


CHURN = [(100, 0, 0), (60, 40, 0), (60, 0, 40), (150, 30, 20)]


@pytest.mark.parametrize(("active", "new", "ended"), CHURN)
async def test_what_new_and_ended_jobs_cost_by_describe(active: int, new: int, ended: int) -> None:
    region, since, event = await _churned(False, active, new, ended)
    end = since + 20 * INTERVAL
    for name, times in region.described(since).items():
        if name.startswith("new"):
            # Once when it is found, at most a discovery late, and once an interval.
            assert event <= times[0] <= event + DISCOVERY + TICK
            due = 1 + (end - times[0]) / INTERVAL
        elif name.startswith("ended"):
            # Once an interval, until nothing new was seen of it for the settle time.
            due = 1 + (event + SETTLE - since) / INTERVAL
            assert event + SETTLE <= times[-1] <= event + SETTLE + 2 * INTERVAL + TICK
        else:
            due = 20
        assert abs(len(times) - due) < 2, name
    assert len(region.described(since)) == active + new + ended
    assert len(region.times(LIST, since)) == 20 * INTERVAL / DISCOVERY


@pytest.mark.parametrize(("active", "new", "ended"), CHURN)
async def test_what_new_and_ended_jobs_cost_by_search(active: int, new: int, ended: int) -> None:
    region, since, event = await _churned(True, active, new, ended)
    reads = region.described(since)
    # What runs costs no describe, also when it is new; what ended costs some until it is settled.
    assert set(reads) == {f"ended-{number}" for number in range(ended)}
    for times in reads.values():
        assert SETTLE / INTERVAL <= len(times) <= SETTLE / INTERVAL + 2
        assert event < times[0] <= event + INTERVAL + TICK
        assert times[-1] >= event + SETTLE
    pages = math.ceil((active + max(new, ended)) / 100)
    assert len(region.times(SEARCH, since)) <= 21 * pages
    assert len(region.times(LIST, since)) == 20 * INTERVAL / DISCOVERY


@pytest.mark.parametrize("search", [False, True])
async def test_a_settled_job_costs_nothing_more(search: bool) -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(job("over", now - 3600, now + INTERVAL))
    async with open_ledger("", region.clock.time) as ledger, polling(poller(region, ledger, search=search)):
        await asyncio.sleep(SETTLE + 3 * INTERVAL)
        assert region.described()
        region.calls.clear()
        await asyncio.sleep(20 * INTERVAL)
    assert {call.operation for call in region.calls} == ({LIST, SEARCH} if search else {LIST})


async def test_many_jobs_made_at_once_are_listed_as_long_as_they_are_recent() -> None:
    region = Region()
    region.jobs.add(*jobs(250, region.clock.time() - 30))
    since = await watched(region, search=True, seconds=15 * DISCOVERY)
    assert len(region.times(LIST, since)) > 15
    assert len(region.times(LIST, since + 600)) == 5


async def test_more_jobs_than_the_limit_allows_are_read_in_turn_and_others_are_found_meanwhile() -> None:
    region = Region(*jobs(300))
    # Three hundred at five a second take a minute, twice the interval.
    since = await watched(region, search=False, seconds=20 * INTERVAL, rps=5.0)
    reads = region.described(since)
    assert len(reads) == 300
    assert all(abs(len(times) - 10) <= 2 for times in reads.values())
    assert all(b - a <= 3 * INTERVAL for times in reads.values() for a, b in pairwise(times))
    assert busiest(region.times(DESCRIBE, since), 1.0) <= 6
    assert len(region.times(LIST, since)) == 20 * INTERVAL / DISCOVERY
