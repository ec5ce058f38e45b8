"""Test the requests to a target while it fails, and how it recovers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from exporter.aws.errors import api_error
from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH, ApiError
from exporter.simulator import Consistency
from tests.logged import lines
from tests.polling.pollers import INTERVAL, poller, polling
from tests.sagemaker import Region, job, jobs

NUMBER = 300
ISOLATED = (
    "InternalFailure",
    "InvalidResponse",
    "AnswerTooLarge",
    "ConnectionError",
    "ServiceUnavailable",
    "ValidationException",
    "503",
)


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ExpiredTokenException"])
async def test_a_target_that_fails_is_asked_with_one_call_at_a_time(code: str) -> None:
    region = Region(*jobs(NUMBER), latency=0.05)
    async with open_ledger("", region.clock.time) as ledger:
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


@pytest.mark.parametrize("number", [1, 4, 50])
@pytest.mark.parametrize("code", ISOLATED)
async def test_when_every_answer_is_bad_the_target_is_down_with_one_line_and_each_job_keeps_its_turn(
    code: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    region = Region(*jobs(number))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger)
        async with polling(one):
            await asyncio.sleep(3 * INTERVAL)
            region.failing = {DESCRIBE: code}
            since = region.clock.monotonic()
            await asyncio.sleep(2 * INTERVAL)
            assert one.health.up is False
            await asyncio.sleep(8 * INTERVAL)
            assert one.health.up is False
            # A 5xx for one job does not affect the others: all are tried, each in its slot.
            reads = region.described(since)
            assert len(reads) == number
            assert all(9 <= len(times) <= 11 for times in reads.values())
            assert (DESCRIBE, code) in one.health.last_errors
            region.failing = {}
            await asyncio.sleep(1.5 * INTERVAL + 2)
            assert one.health.up is True
    fails, works = lines(caplog)
    assert 'msg="polling fails"' in fails
    assert f"activity=reading operation=DescribeTrainingJob code={code}" in fails
    assert 'msg="polling recovered"' in works


@pytest.mark.parametrize("search", [False, True])
async def test_a_target_whose_answers_were_bad_from_the_start_is_down_and_is_waited_for_no_longer(search: bool) -> None:
    # So late that a sweep misses the new jobs before the index shows them.
    region = Region(consistency=Consistency(search_lag=120.0), failing={DESCRIBE: "InternalFailure"})
    region.jobs.add(*jobs(20, region.clock.time() + (20 if search else -3600)))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=search)
        async with polling(one):
            await asyncio.sleep(4 * INTERVAL)
            assert one.health.up is False
            assert one.first_sync.over
            region.failing = {}
            await asyncio.sleep(6 * INTERVAL)
            assert one.health.up is True
            assert all(tracked.read for tracked in one.tracker.jobs())


async def test_bad_answers_of_several_kinds_are_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    region = Region(*jobs(50))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        await asyncio.sleep(3 * INTERVAL)
        for _ in range(20):
            for code in ("InternalFailure", "Timeout", "ServiceUnavailable"):
                region.failing = {DESCRIBE: code}
                await asyncio.sleep(INTERVAL)
                assert one.health.up is False
    assert len(caplog.records) <= 3


async def test_a_single_run_says_that_no_answer_was_good() -> None:
    region = Region(*jobs(50), failing={DESCRIBE: "InternalFailure"})
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger)
        assert not await one.once()
        assert one.health.up is False
        assert len(region.described()) == 50


async def test_the_only_active_job_is_bad_alone_while_one_that_ended_can_be_read() -> None:
    region = Region(failing={"bad": "InternalFailure"})
    now = region.clock.time()
    region.jobs.add(*jobs(3, now - 3600, now - 60), job("bad"))
    async with open_ledger("", region.clock.time) as ledger, polling(one := poller(region, ledger)):
        downs = 0
        for _ in range(40):
            await asyncio.sleep(INTERVAL)
            downs += one.health.up is not True
        assert downs == 0
        # A probe for each of its turns.
        assert len(region.times(DESCRIBE)) <= 2 * len(region.described()["bad"]) + 3 * 6


async def test_a_failed_read_is_forgotten_when_a_sweep_reads_the_job() -> None:
    # So late that a sweep misses it before the index shows it.
    lag = 120.0
    region = Region(consistency=Consistency(search_lag=lag))
    now = region.clock.time()
    region.jobs.add(*jobs(5), job("new", now + 100))
    async with open_ledger("", region.clock.time) as ledger:
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


async def test_sweeps_wait_for_the_first_walk_however_long_it_takes() -> None:
    region = Region(*jobs(1000))
    async with open_ledger("", region.clock.time) as ledger:
        # Ten pages at ten seconds each, more than three intervals.
        one = poller(region, ledger, search=True, rps=0.1)
        async with polling(one):
            await one.tried.wait()
            assert (len(region.times(SEARCH)), len(region.times(LIST))) == (10, 1)
            assert all(tracked.read for tracked in one.tracker.jobs())


@pytest.mark.parametrize(
    ("code", "isolated", "ambiguous", "denied"),
    [
        ("AccessDeniedException", False, True, True),
        ("AccessDenied", False, True, True),
        ("Timeout", False, True, False),
        ("SomethingNew", False, True, False),
        ("InternalFailure", True, False, False),
        ("503", True, False, False),
        ("ThrottlingException", False, False, False),
        ("ExpiredTokenException", False, False, False),
        ("EndpointConnectionError", False, False, False),
    ],
)
def test_whose_a_failure_may_be(code: str, isolated: bool, ambiguous: bool, denied: bool) -> None:
    failure = api_error(LIST, ApiError(LIST, code))
    assert (failure.isolated, failure.ambiguous, failure.denied) == (isolated, ambiguous, denied)
