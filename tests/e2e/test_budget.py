"""Test the requests of an idle exporter: one list per discovery, and one describe per active job and interval."""

from __future__ import annotations

import asyncio

import pytest

from exporter.app import App
from exporter.config import Config
from exporter.simulator import ScaledClock, Simulator, steady
from tests.e2e.exposed import lead_to

ACCOUNT, REGION = "123456789012", "us-east-1"
JOBS, INTERVAL, ROUNDS = 20, 5.0, 6
# The expected calls of each operation per interval.
PRICES = {
    "describe": {"DescribeTrainingJob": JOBS, "ListTrainingJobs": 1},
    "search": {"Search": 1, "ListTrainingJobs": 1},
}


@pytest.mark.parametrize("strategy", ["describe", "search"])
async def test_a_running_exporter_keeps_to_its_budget(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ScaledClock(10.0)
    pace = {"active_interval": INTERVAL, "discovery_interval": INTERVAL, "strategy": strategy}
    fast = {"list_rps": 1000.0, "describe_rps": 1000.0, "search_rps": 1000.0}
    config = Config.model_validate({"polling": {**pace, **fast}, "targets": [{"regions": [REGION]}]})
    prices = PRICES[strategy]
    async with Simulator(clock=clock) as sim:
        sim.store.add(ACCOUNT, REGION, *steady(JOBS, clock.time() - 3600))
        lead_to(sim, monkeypatch)
        async with App.open(config, clock) as app, asyncio.timeout(120):
            began = clock.monotonic()
            running = asyncio.create_task(app.run())
            while any(sim.calls[ACCOUNT, REGION, name] < ROUNDS * price for name, price in prices.items()):
                assert not running.done()
                await asyncio.sleep(0.05)
            rounds = (clock.monotonic() - began) / INTERVAL
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    calls = {name: n for (_, _, name), n in sim.calls.items() if name != "GetCallerIdentity"}
    assert not sim.errors
    # Once a day, and once in twelve hours.
    assert (calls.pop("GetProducts"), calls.pop("ListServiceQuotas")) == (2, 18)
    assert set(calls) == set(prices)
    # The first round runs at once; from the second on, each job has its slot.
    for name, price in prices.items():
        assert calls[name] <= price * (rounds + 2), (name, rounds)
