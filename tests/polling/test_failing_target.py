"""What a target that fails is asked while it fails, and how it comes back."""

from __future__ import annotations

import asyncio

import pytest

from exporter.ledger.ledger import Ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH
from tests.polling import virtual_time
from tests.polling.world import INTERVAL, Job, Region, jobs, poller, polling

NUMBER = 300


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ExpiredTokenException"])
def test_a_target_that_fails_is_asked_with_one_call_at_a_time(code: str) -> None:
    async def scenario() -> None:
        region = Region([], latency=0.05)
        region.jobs = jobs(NUMBER, region.clock.time() - 3600)
        async with Ledger("", region.clock.time) as ledger:
            one = poller(region, ledger)
            async with polling(one):
                await asyncio.sleep(3 * INTERVAL)
                region.failing = {DESCRIBE: code}
                since = region.clock.monotonic()
                await asyncio.sleep(10 * INTERVAL)
                assert one.health.up is False
                # The first round begins with all workers; every other one, a second apart at the least, ends with
                # its first call.
                assert len(region.times(DESCRIBE, since)) <= 20 + 10 * INTERVAL
                region.failing = {}
                await asyncio.sleep(2 * INTERVAL)
                assert one.health.up is True
                since = region.clock.monotonic()
                await asyncio.sleep(5 * INTERVAL)
                reads = region.described(since)
                assert len(reads) == NUMBER
                assert all(4 <= len(times) <= 6 for times in reads.values())

    virtual_time.run(scenario())


def test_an_answer_that_is_bad_alone_fails_its_job_only() -> None:
    async def scenario() -> None:
        region = Region([])
        region.jobs = jobs(50, region.clock.time() - 3600)
        async with Ledger("", region.clock.time) as ledger:
            one = poller(region, ledger)
            async with polling(one):
                await asyncio.sleep(3 * INTERVAL)
                region.failing = {DESCRIBE: "InternalFailure"}
                since = region.clock.monotonic()
                await asyncio.sleep(5 * INTERVAL)
                # A 5xx of one job says nothing of the next: all are tried, each in its turn.
                assert one.health.up is True
                assert len(region.described(since)) == 50
                assert (DESCRIBE, "InternalFailure") in one.health.last_errors

    virtual_time.run(scenario())


def test_a_failed_read_is_forgotten_when_a_sweep_reads_the_job() -> None:
    async def scenario() -> None:
        # So late that a sweep misses it before the index shows it.
        lag = 120.0
        region = Region([], lag=lag)
        now = region.clock.time()
        region.jobs = [*jobs(5, now - 3600), Job("new", now + 100)]
        async with Ledger("", region.clock.time) as ledger:
            one = poller(region, ledger, search=True)
            async with polling(one):
                region.failing = {DESCRIBE: "ThrottlingException"}
                async with asyncio.timeout(600):
                    while not region.times(DESCRIBE):
                        await asyncio.sleep(1)
                await asyncio.sleep(2)
                assert one.health.up is False
                await asyncio.sleep(lag + 3 * INTERVAL)
                # It still could not be described, and need not be any more.
                assert one.health.up is True

    virtual_time.run(scenario())


def test_sweeps_wait_for_the_first_walk_however_long_it_takes() -> None:
    async def scenario() -> None:
        region = Region([])
        region.jobs = jobs(1000, region.clock.time() - 3600)
        async with Ledger("", region.clock.time) as ledger:
            # Ten pages at ten seconds each, more than three intervals.
            one = poller(region, ledger, search=True, rps=0.1)
            async with polling(one):
                await one.tried.wait()
                assert (len(region.times(SEARCH)), len(region.times(LIST))) == (10, 1)
                assert all(followed.read for followed in one.fleet.followed())

    virtual_time.run(scenario())
