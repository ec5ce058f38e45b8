"""CloudWatch that fails, in part or as a whole: what is logged, still requested and shown meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from exporter.cloudwatch.api import GET_METRIC_DATA
from exporter.cloudwatch.planning import Selection
from exporter.polling.api import ApiError
from tests.cloudwatch.world import INTERVAL, job, reading, world
from tests.logged import field as logged
from tests.logged import messages
from tests.virtual_time import run


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "Timeout", "InternalFailure"])
def test_a_source_that_fails_is_one_warning_and_the_last_values_stay_for_a_while(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter")

    async def scenario() -> None:
        at = world(job())
        async with reading(at.reader()):
            at.error = ApiError(GET_METRIC_DATA, code)
            await asyncio.sleep(2 * INTERVAL)
            assert (at.ratio(), at.up) == (0.5, False)
            await asyncio.sleep(2 * INTERVAL)
            assert at.ratio() is None
            assert messages(caplog) == ["CloudWatch cannot be read"]
            # Nothing is asked more often for it.
            assert len(at.reads) == 5
            assert at.failures == [code] * 4
            at.error = None
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)
            assert messages(caplog)[1:] == ["CloudWatch is read again"]

    run(scenario())


def test_after_a_denied_or_throttled_call_the_rest_is_not_asked() -> None:
    async def scenario() -> None:
        at = world(job("a", 700), job("b", 400), error=ApiError(GET_METRIC_DATA, "ThrottlingException"))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500]
        # A bad answer is not the next one's.
        at = world(job("a", 500), job("b", 400), error=ApiError(GET_METRIC_DATA, "InvalidResponse"))
        at.fails = lambda number: number == 1
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500, 400]
            assert at.shown.keys() == {"b"}
            assert at.up is False

    run(scenario())


def test_no_batch_is_left_out_of_every_read() -> None:
    async def scenario() -> None:
        at = world(job("a", 500), job("b", 500), job("c", 400), error=ApiError(GET_METRIC_DATA, "ThrottlingException"))
        # The second call of each read.
        at.fails = lambda number: number % 2 == 0
        async with reading(at.reader()):
            await asyncio.sleep(2 * INTERVAL)
            assert [number for _, number in at.reads] == [500, 500, 500, 400, 400, 500]
            assert at.shown.keys() == {"a", "b", "c"}
        at.reads.clear()
        # One batch, whenever it is asked for: the others are not held up by it.
        at.fails = lambda _: at.reads[-1][1] == 400
        async with reading(at.reader()):
            for _ in range(12):
                await asyncio.sleep(INTERVAL)
                assert at.shown.keys() >= {"a", "b"}
            assert len(at.reads) <= 2 * 13

    run(scenario())


def test_credentials_that_fail_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job(), unopened=ApiError("AssumeRole", "AccessDenied"))
        async with reading(at.reader()):
            await asyncio.sleep(2 * INTERVAL)
            assert at.up is False
            assert messages(caplog) == ["CloudWatch cannot be read"]
            at.unopened = None
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)

    run(scenario())


def test_a_mistake_of_ours_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job(), broken=True)
        async with reading(at.reader()):
            assert at.up is False
            await asyncio.sleep(10)
            at.broken = False
            await asyncio.sleep(INTERVAL)
            assert (at.ratio(), at.up) == (0.5, True)
            assert messages(caplog) == ["reading CloudWatch failed unexpectedly"]

    run(scenario())


def test_metrics_that_are_forbidden_or_fail_are_reported_and_the_others_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        at = world(job(), statuses={"CPUUtilization": "Forbidden", "DiskUtilization": "InternalError"})
        at.silent = set()
        async with reading(at.reader(Selection(("cpu", "gpu", "disk")))):
            assert at.ratio() == 0.5
            assert at.up is False
            assert logged(caplog, "code") == ["Forbidden", "InternalError"]

    run(scenario())


def test_a_failure_with_nothing_left_to_read_is_over() -> None:
    async def scenario() -> None:
        at = world(job(), error=ApiError(GET_METRIC_DATA, "ThrottlingException"))
        async with reading(at.reader()):
            assert at.up is False
            at.jobs.clear()
            await asyncio.sleep(INTERVAL)
            assert at.up is None
        # Nor does a client that could not be opened say anything of a source of which nothing was asked.
        at = world(unopened=ApiError("AssumeRole", "AccessDenied"))
        async with reading(at.reader()):
            assert at.up is False
            at.unopened = None
            await asyncio.sleep(2 * INTERVAL)
            assert (at.up, at.reads) == (None, [])

    run(scenario())
