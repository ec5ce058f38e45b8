"""Test polling by search: jobs that the index does not have, or for which it fails, are described instead."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import pairwise

import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH
from exporter.polling.poller import Poller
from exporter.polling.tracker import TrackedJob
from exporter.simulator import Consistency
from exporter.simulator.life import stop
from tests.logged import lines
from tests.polling.pollers import DISCOVERY, INTERVAL, SETTLE, poller, polling
from tests.sagemaker import TARGET, Region, job, jobs

DAY = 86400.0
DENIED = {SEARCH: "AccessDeniedException"}


def tracked(one: Poller, name: str) -> TrackedJob:
    found = one.tracker.get(name)
    assert found is not None
    return found


def total(ledger: Ledger, name: str) -> float:
    family = f"sagemaker_training_{name}_total"
    return sum(series.true[0] for key, series in ledger.totals(TARGET).items() if key.family == family) / 1000


async def test_a_denied_search_is_said_once_and_jobs_are_described_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    region = Region(*jobs(50), failing=DENIED)
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(10 * INTERVAL)
    assert len(region.times(SEARCH)) == 1
    assert all(9 <= len(times) <= 12 for times in region.described().values())
    assert len(region.described()) == 50
    assert one.health.up is True
    # The status page says it, too.
    assert "lacks this operation" in one.health.last_errors[SEARCH, "AccessDeniedException"].message
    (said,) = lines(caplog)
    assert said.startswith('msg="search is denied; describing jobs instead" ')
    assert f"target={'/'.join(TARGET)} operation=Search code=AccessDeniedException" in said
    assert "role/secret" not in said


async def test_a_search_that_is_denied_later_leaves_no_job_unread() -> None:
    region = Region(*jobs(50))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(5 * INTERVAL)
            assert region.described() == {}
            region.failing = DENIED
            await asyncio.sleep(INTERVAL)
            searched = len(region.times(SEARCH))
            since = region.clock.monotonic()
            await asyncio.sleep(10 * INTERVAL)
            assert one.health.up is True
    assert len(region.times(SEARCH)) == searched
    reads = region.described(since)
    assert len(reads) == 50
    assert all(9 <= len(times) <= 11 for times in reads.values())


async def test_jobs_are_described_while_search_fails_and_left_to_it_when_it_works_again() -> None:
    region = Region(*jobs(50))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(5 * INTERVAL)
            region.failing = {SEARCH: "ThrottlingException"}
            since = region.clock.monotonic()
            await asyncio.sleep(10 * INTERVAL)
            assert one.health.up is False
            reads = region.described(since)
            assert len(reads) == 50
            for times in reads.values():
                # The first that fails, the one that might have helped, and its turn.
                assert times[0] - since <= 3.5 * INTERVAL + 2
                assert all(b - a <= INTERVAL + 2 for a, b in pairwise(times))
            region.failing = {}
            await asyncio.sleep(INTERVAL + 2)
            assert one.health.up is True
            region.calls.clear()
            await asyncio.sleep(10 * INTERVAL)
            assert region.described() == {}


async def test_one_failed_sweep_costs_no_describe() -> None:
    region = Region(*jobs(50))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(5 * INTERVAL)
            region.failing = {SEARCH: "ThrottlingException"}
            await asyncio.sleep(INTERVAL)
            assert one.health.up is False
            region.failing = {}
            await asyncio.sleep(10 * INTERVAL)
            assert one.health.up is True
    assert region.described() == {}


@pytest.mark.slow
async def test_a_sweep_longer_than_the_interval_has_nothing_described_meanwhile() -> None:
    region = Region(*jobs(1000))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True, rps=0.1)
        async with polling(one):
            # Ten pages at ten seconds each.
            await asyncio.sleep(20 * INTERVAL)
            assert one.health.up is True
            assert all(each.read for each in one.tracker.jobs())
    assert region.described() == {}
    assert len(region.times(SEARCH)) >= 50


async def test_what_the_index_does_not_show_yet_is_described() -> None:
    lag = 90.0
    region = Region(consistency=Consistency(search_lag=lag))
    now = region.clock.time()
    region.jobs.add(*jobs(3), job("new", now + 100))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(100 + DISCOVERY + lag + 10 * INTERVAL)
    (name, times), *others = region.described().items()
    assert (name, others) == ("new", [])
    created = now + 100 - region.time.start
    # Until the first sweep after the index shows it, and once in between at most.
    assert created < times[0] <= created + DISCOVERY + INTERVAL + 2
    assert times[-1] <= created + lag + INTERVAL + 2
    assert len(times) <= lag / INTERVAL + 3


async def test_an_ended_job_is_settled_by_describe_whatever_the_index_still_says() -> None:
    region = Region(consistency=Consistency(search_lag=INTERVAL + 5))
    now = region.clock.time()
    region.jobs.add(job("ended", now - 3600, now + 100))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(100 + INTERVAL + 5 + SETTLE + 4 * INTERVAL)
            assert tracked(one, "ended").settled_at is not None
            assert tracked(one, "ended").job.billable_seconds == 3700
        assert total(ledger, "jobs_finished") == 1
        assert total(ledger, "billable_seconds") == 3700
    assert len(region.times(DESCRIBE)) >= SETTLE / INTERVAL


async def test_jobs_that_are_stopping_are_read_by_sweeps_too() -> None:
    region = Region()
    # It saves its model longer than the test takes.
    stopping = [stop(replace(each, stopping_seconds=7200.0), region.clock.time() - 60) for each in jobs(3)]
    region.jobs.add(*jobs(3, name="on"), *stopping)
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        async with polling(one):
            await asyncio.sleep(10 * INTERVAL)
            assert {tracked(one, each.name).job.status for each in stopping} == {"Stopping"}
            assert len(region.times(SEARCH)) >= 9
    assert region.described() == {}


async def test_a_job_created_and_ended_between_two_sweeps_is_described() -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(*jobs(3), job("short", now + 300, now + 310))
    async with open_ledger("", region.clock.time) as ledger:
        async with polling(poller(region, ledger, search=True)):
            await asyncio.sleep(300 + DISCOVERY + 2 * INTERVAL)
        assert total(ledger, "jobs_finished") == 1
        assert total(ledger, "billable_seconds") == 10
    assert set(region.described()) == {"short"}


async def test_what_ended_during_a_downtime_is_caught_up_by_the_index_alone() -> None:
    region = Region()
    now = region.clock.time()
    # Known and running when it stops, created and ended meanwhile, and running still.
    region.jobs.add(*jobs(150, now - 3600, now + 3600, "known"), *jobs(150, now + 7200, now + DAY, "missed"))
    region.jobs.add(*jobs(150, name="on"))
    async with open_ledger("", region.clock.time) as ledger:
        assert await poller(region, ledger, search=True).once()
        await asyncio.sleep(2 * DAY)
        region.calls.clear()
        assert await poller(region, ledger, search=True).once()
        # 450 jobs of the history, a hundred at a time; nothing is new.
        assert (len(region.times(SEARCH)), len(region.times(LIST)), region.described()) == (5, 1, {})
        assert total(ledger, "jobs_finished") == 300
        for _ in range(2):
            assert await poller(region, ledger, search=True).once()
        assert total(ledger, "jobs_finished") == 300
        assert total(ledger, "jobs_created") == 450


async def test_what_was_deleted_during_a_downtime_is_described_once_and_dropped() -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(*jobs(5), job("gone", now - 3600, deleted=now + 600))
    async with open_ledger("", region.clock.time) as ledger:
        assert await poller(region, ledger, search=True).once()
        await asyncio.sleep(3600)
        region.calls.clear()
        one = poller(region, ledger, search=True)
        assert await one.once()
        assert set(region.described()) == {"gone"}
        assert len(one.tracker) == 5
        assert total(ledger, "jobs_created") == 6


async def test_a_resync_by_search_heals_what_was_missed() -> None:
    region = Region()
    now = region.clock.time()
    region.jobs.add(*jobs(5))
    async with open_ledger("", region.clock.time) as ledger:
        async with polling(poller(region, ledger, search=True)):
            await asyncio.sleep(1200)
            # The listing showed it so late that no discovery could find it, and no sweep while it ran.
            region.jobs.add(job("late", now + 100, now + 150))
            await asyncio.sleep(1200)
            assert total(ledger, "jobs_created") == 5
            await asyncio.sleep(2400)
            assert total(ledger, "jobs_created") == 6
        assert total(ledger, "jobs_finished") == 1
    assert len(region.times(LIST)) <= 4800 / DISCOVERY + 2
