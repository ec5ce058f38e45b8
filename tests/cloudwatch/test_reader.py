"""The loop that reads CloudWatch: when it reads, what it requests, what it shows and for how long."""

from __future__ import annotations

import asyncio
import math

import pytest

from exporter.cloudwatch.api import GET_METRIC_DATA
from exporter.cloudwatch.planning import Selection
from exporter.polling.api import ApiError
from tests.cloudwatch.world import INTERVAL, job, reading, world
from tests.logged import field as logged
from tests.logged import messages
from tests.virtual_time import START, run


def test_active_jobs_are_read_once_an_interval_in_whole_minutes() -> None:
    async def scenario() -> None:
        at = world(job("a"), job("b", 2), job("over", status="Completed"), job("waits", secondary_status="Starting"))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [3]
            assert at.ratio("a") == at.ratio("b") == 0.5
            assert at.shown.keys() == {"a", "b"}
            await asyncio.sleep(3 * INTERVAL + 60)
        times = [time for time, _ in at.reads]
        assert [round((time - times[0]) / INTERVAL, 1) for time in times] == [0, 1, 2, 3]
        assert at.readings.requested == 12
        for (start, end), time in zip(at.spans, times, strict=True):
            assert start % 60 == end % 60 == 0
            # The minute that is not over is not asked for, and the span has what a failed read has missed.
            assert 0 <= START + time - end < 61
            assert end - start == 900
        assert at.up is True

    run(scenario())


def test_nothing_is_requested_without_jobs_and_the_first_one_is_read_soon() -> None:
    async def scenario() -> None:
        at = world()
        async with reading(at.reader()):
            await asyncio.sleep(3600)
            assert (at.reads, at.up) == ([], None)
            at.jobs["a"] = job()
            await asyncio.sleep(11)
            assert len(at.reads) == 1

    run(scenario())


def test_nothing_is_requested_before_the_jobs_are_known() -> None:
    async def scenario() -> None:
        at = world(job(), ready=False)
        async with reading(at.reader()):
            await asyncio.sleep(600)
            assert at.reads == []
            at.ready = True
            await asyncio.sleep(11)
            assert len(at.reads) == 1

    run(scenario())


def test_500_metrics_are_a_call() -> None:
    async def scenario() -> None:
        at = world(job("a", 700), job("b", 400))
        async with reading(at.reader()):
            assert [number for _, number in at.reads] == [500, 500, 100]

    run(scenario())


def test_a_value_ends_when_the_source_was_silent_for_three_intervals() -> None:
    async def scenario() -> None:
        at = world(job(), lag=2)
        async with reading(at.reader()):
            assert at.ratio() == 0.5
            # The minute was over 2 minutes, and up to one more, before it was read.
            at.silent = {"a"}
            await asyncio.sleep(3 * INTERVAL - 200)
            assert at.ratio() == 0.5
            await asyncio.sleep(100)
            assert at.ratio() is None
            assert at.up is True
            at.silent = set()
            await asyncio.sleep(INTERVAL)
            assert at.ratio() == 0.5

    run(scenario())


def test_a_job_that_ends_while_it_is_read_is_not_shown_again() -> None:
    async def scenario() -> None:
        at = world(job("a"), job("b"))
        at.during_read = lambda: at.jobs.update(a=job("a", status="Completed", secondary_status="Completed"))
        async with reading(at.reader()):
            assert at.shown.keys() == {"b"}
        # Nor does another job of the same name get its values.
        at = world(job("a"), job("b"))
        at.during_read = lambda: at.jobs.update(a=job("a", created=START + 50.0))
        async with reading(at.reader()):
            assert at.shown.keys() == {"b"}

    run(scenario())


def test_algorithm_metrics_keep_their_latest_value_while_the_source_answers() -> None:
    async def scenario() -> None:
        at = world(job(), value=0.25)
        async with reading(at.reader(Selection((), ("loss",)))):
            (emitted,) = at.shown["a"].algorithm.values()
            assert emitted.value == 0.25
            assert emitted.minute == at.spans[0][1] - 60
            # It may be logged once an epoch.
            at.silent = {"a"}
            await asyncio.sleep(8 * INTERVAL)
            assert at.shown["a"].algorithm == {"loss": emitted}
            at.error = ApiError(GET_METRIC_DATA, "Timeout")
            await asyncio.sleep(4 * INTERVAL)
            assert "a" not in at.shown
            assert {number for _, number in at.reads} == {1}

    run(scenario())


def test_the_guard_leaves_out_the_youngest_jobs_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        jobs = [job(f"job-{number}", 2, created=START + number) for number in range(5)]
        at = world(*jobs)
        # 84 an hour are 7 a read.
        async with reading(at.reader(most=84)):
            assert at.shown.keys() == {"job-0", "job-1", "job-2"}
            await asyncio.sleep(3600 - 2)
            assert at.readings.requested <= 84
            assert messages(caplog) == ["cloudwatch.max_metrics_per_hour leaves jobs out"]
            assert logged(caplog, "jobs") == [2]
            assert (logged(caplog, "wanted_per_read"), logged(caplog, "allowed_per_read")) == ([10], [7])
            del at.jobs["job-0"]
            await asyncio.sleep(INTERVAL)
            assert "job-3" in at.shown

    run(scenario())


def test_unknown_hardware_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(job("a", type_="ml.z9.xlarge"), job("b"))
        async with reading(at.reader()):
            await asyncio.sleep(2 * INTERVAL)
            assert at.shown.keys() == {"b"}
            assert messages(caplog) == ["unknown hardware; the instance type has no utilization by vCPU or GPU"]
            assert logged(caplog, "instance_type") == ["ml.z9.xlarge"]

    run(scenario())


def test_a_second_reader_shows_what_the_first_has_read_and_reads_no_more_often() -> None:
    """As during a reload, and after a poller began anew."""

    async def scenario() -> None:
        first = world(job())
        async with reading(first.reader()):
            second = world(job())
            second.readings = first.readings
            async with reading(second.reader()):
                assert (second.ratio(), second.reads) == (0.5, [])
                await asyncio.sleep(4 * INTERVAL)
                assert len(first.reads) + len(second.reads) == 5
                assert first.ratio() == second.ratio() == 0.5
        third = world(job())
        third.readings = first.readings
        async with reading(third.reader()):
            assert (third.ratio(), third.reads) == (0.5, [])

    run(scenario())


def test_a_short_interval_does_not_end_values_that_are_merely_late() -> None:
    async def scenario() -> None:
        at = world(job(), lag=3)
        async with reading(at.reader(interval=10.0)):
            for _ in range(60):
                await asyncio.sleep(10)
                assert at.ratio() == 0.5

    run(scenario())


def test_once_reads_once() -> None:
    async def scenario() -> None:
        at = world(job())
        await at.reader().once()
        assert (at.ratio(), len(at.reads)) == (0.5, 1)
        at.unopened = ApiError("AssumeRole", "AccessDenied")
        await at.reader().once()
        assert at.up is False
        at.unopened, at.readings.read = None, -math.inf
        await at.reader().once()
        assert at.up is True
        at.broken, at.readings.read = True, -math.inf
        await at.reader().once()
        assert at.up is False

    run(scenario())


def test_samples_of_a_job_that_is_interrupted_end() -> None:
    async def scenario() -> None:
        # Alone, so that nothing is read any more, and beside another job.
        for others in ([], [job("b")]):
            at = world(job("a"), *others)
            async with reading(at.reader()):
                assert at.ratio("a") == 0.5
                at.jobs["a"] = job("a", secondary_status="Interrupted")
                await asyncio.sleep(3 * INTERVAL + 20)
                assert at.shown.keys() == {each.name for each in others}

    run(scenario())


def test_an_algorithm_metric_that_is_not_read_takes_no_other_with_it() -> None:
    async def scenario() -> None:
        at = world(job(), value=0.25)
        async with reading(at.reader(Selection((), ("loss", "acc")))):
            assert at.shown["a"].algorithm.keys() == {"loss", "acc"}
            at.statuses = {"acc": "InternalError"}
            await asyncio.sleep(2 * INTERVAL)
            assert at.shown["a"].algorithm.keys() == {"loss", "acc"}
            await asyncio.sleep(4 * INTERVAL)
            assert at.shown["a"].algorithm.keys() == {"loss"}
        at = world(job(), statuses={"acc": "InternalError"})
        async with reading(at.reader(Selection((), ("loss", "acc")))):
            await asyncio.sleep(INTERVAL / 2)
            assert at.shown["a"].algorithm.keys() == {"loss"}

    run(scenario())


def test_what_a_reload_turns_off_ends_with_the_next_read() -> None:
    async def scenario() -> None:
        first = world(job())
        async with reading(first.reader(Selection(("gpu",), ("loss", "acc")))):
            assert first.ratio() == 0.5
        second = world(job())
        second.readings = first.readings
        async with reading(second.reader(Selection((), ("loss",)))):
            await asyncio.sleep(INTERVAL)
            assert second.ratio() is None
            assert second.shown["a"].algorithm.keys() == {"loss"}

    run(scenario())


def test_an_expired_value_is_not_shown_again() -> None:
    async def scenario() -> None:
        at = world(job())
        ratios = set()
        async with reading(at.reader(interval=60.0)):
            at.lag = 6
            await asyncio.sleep(400)
            for _ in range(300):
                await asyncio.sleep(1)
                ratios.add(at.ratio())
        assert ratios == {None}

    run(scenario())


def test_a_reload_with_another_interval_follows_it() -> None:
    async def scenario() -> None:
        first = world(job())
        async with reading(first.reader(interval=3600.0)):
            pass
        second = world(job())
        second.readings = first.readings
        async with reading(second.reader(interval=60.0)):
            await asyncio.sleep(130)
            assert len(second.reads) >= 2

    run(scenario())


def test_a_value_that_one_of_two_readers_drops_ends_for_both() -> None:
    async def scenario() -> None:
        first, second = world(job()), world(job())
        second.readings = first.readings
        async with reading(first.reader()), reading(second.reader()):
            assert first.ratio() == second.ratio() == 0.5
            first.error = second.error = ApiError(GET_METRIC_DATA, "Timeout")
            await asyncio.sleep(4 * INTERVAL)
            assert first.ratio() is second.ratio() is None

    run(scenario())
