from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from exporter.simulator import ManualClock, Simulator, steady
from tests.simulator.served import ACCOUNT, REGION, START, Client, connected


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """Provide three jobs that keep running, in one account and region."""
    async with Simulator(clock=ManualClock(START)) as simulator:
        simulator.store.add(ACCOUNT, REGION, *steady(3, START - 1000))
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[Client]:
    async with connected(sim) as connection:
        yield connection
