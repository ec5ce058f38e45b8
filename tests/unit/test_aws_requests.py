"""What goes to AWS, and what comes back of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter import __version__
from exporter.api import Calls
from exporter.aws.sagemaker import Limits, SageMaker
from exporter.aws.sessions import Sessions
from exporter.clock import SystemClock
from exporter.simulator import Simulator, steady
from tests.e2e.exposed import lead_to

LIMITS = Limits(1000.0, 1000.0, 1000.0, 10, 10.0)


async def test_a_request_says_who_asks_and_an_answer_is_the_jobs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    agents: list[str] = []

    def look(request: Any, **_: Any) -> None:
        agents.append(request.headers["User-Agent"].decode())

    async with Simulator() as sim:
        sim.store.add(sim.accounts[0], sim.regions[0], *steady(1, sim.clock.time() - 600))
        lead_to(sim, monkeypatch)
        calls = Calls()
        async with Sessions(10.0, 10).client(sim.regions[0], None, calls) as client:
            client.meta.events.register("before-send.sagemaker", look)
            api = SageMaker(client, calls, LIMITS, SystemClock(), asyncio.Semaphore(10))
            first, second = [await api.describe("steady-000000") for _ in range(2)]
    assert all(agent.startswith(f"sagemaker-exporter/{__version__} ") for agent in agents)
    # A date or the number of a request among it would make every answer a new one.
    assert first is not None
    assert first == second
    assert first["TrainingJobName"] == "steady-000000"
    assert "ResponseMetadata" not in first
