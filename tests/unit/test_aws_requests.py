"""Test the requests sent to AWS, and the results of their responses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter import __version__
from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SAGEMAKER, SageMaker, rate_limits
from exporter.aws.sessions import Sessions
from exporter.clock import Clock, SystemClock
from exporter.polling.api import ApiError, Calls
from exporter.simulator import Simulator, steady
from exporter.simulator.clock import ManualClock
from tests.e2e.exposed import lead_to

LIMITS = rate_limits(1000.0, 1000.0, 1000.0, 10, 10.0)


def over(sdk: Any, calls: Calls, clock: Clock, in_flight: InFlight | None = None) -> SageMaker:
    return SageMaker(Client(sdk, calls, RateLimiters(LIMITS, clock), in_flight or InFlight(1, 1), clock))


async def test_a_request_says_who_asks_and_an_answer_is_the_jobs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    agents: list[str] = []

    def look(request: Any, **_: Any) -> None:
        agents.append(request.headers["User-Agent"].decode())

    async with Simulator() as sim:
        sim.store.add(sim.accounts[0], sim.regions[0], *steady(1, sim.clock.time() - 600))
        lead_to(sim, monkeypatch)
        calls = Calls()
        async with Sessions(10.0, 10).client(SAGEMAKER, sim.regions[0], None, calls) as client:
            client.meta.events.register("before-send.sagemaker", look)
            api = over(client, calls, SystemClock())
            first, second = [await api.describe("steady-000000") for _ in range(2)]
    assert all(agent.startswith(f"sagemaker-exporter/{__version__} ") for agent in agents)
    # A date or the number of a request among it would make every answer a new one.
    assert first is not None
    assert first == second
    assert first["TrainingJobName"] == "steady-000000"
    assert "ResponseMetadata" not in first


class Answering:
    """Implement a client with given responses; an exception among them is raised."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)

    async def describe_training_job(self, **_: Any) -> dict[str, Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_target_that_answers_again_waits_no_more_with_those_that_hang() -> None:
    in_flight = InFlight(1, 1)
    client = Answering(TimeoutError(), {"TrainingJobName": "a"}, {"TrainingJobName": "a"})
    api = over(client, Calls(), SystemClock(), in_flight)
    with pytest.raises(ApiError, match="Timeout"):
        await api.describe("a")
    async with in_flight.answering:
        assert await api.describe("a") is not None
    async with in_flight.hanging, asyncio.timeout(5):
        assert await api.describe("a") is not None


def dated(date: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


async def test_aws_clock_is_that_of_the_first_answer_of_a_second() -> None:
    noon, next_second = "Thu, 01 Jan 2026 12:00:00 GMT", "Thu, 01 Jan 2026 12:00:01 GMT"
    clock = ManualClock(1_767_268_790)
    client = Answering(dated(noon), dated(noon), dated("nonsense"), dated(next_second))
    api = over(client, Calls(), clock)
    passed = []
    for _ in range(4):
        await api.describe("a")
        passed.append(api.now() - 1_767_268_800)
        clock.advance(0.75)
    assert passed == [0.0, 0.75, 1.5, 1.0]


async def test_one_answer_whose_date_is_an_hour_ahead_does_not_move_aws_clock() -> None:
    noon, an_hour_ahead, a_bit_later = (f"Thu, 01 Jan 2026 {time} GMT" for time in ("12:00:00", "13:00:05", "12:00:10"))
    for dates in ((noon, an_hour_ahead, a_bit_later), (an_hour_ahead, noon, a_bit_later)):
        clock = ManualClock(1_767_268_800)
        api = over(Answering(*map(dated, dates)), Calls(), clock)
        for _ in dates:
            await api.describe("a")
            assert abs(api.now() - clock.time()) <= 10
            clock.advance(5)
