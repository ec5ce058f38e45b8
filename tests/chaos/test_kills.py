"""Test that the totals are right after kill -9, a pause and faults.

Many jobs come and go, a fifth of all responses is faulty, and the exporter is killed five times and suspended once.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from exporter.simulator import Faults, ScaledClock, Simulator, mixture
from tests.chaos.exporters import start, totals
from tests.chaos.truth import Samples, Series, add_jobs, all_ended, counted, price_table, scheduled

ACCOUNT, REGION = "123456789012", "us-east-1"
CONFIG = """
web: {{listen_address: "127.0.0.1:0"}}
polling: {{discovery_interval: 1s, active_interval: 1s, resync_interval: 10s, settle: 2m, list_rps: 100,
          describe_rps: 500, timeout: 2s, max_concurrency: 10}}
targets: [{{regions: [us-east-1]}}]
totals: {{backfill: 1d}}
state: {{path: "{state}"}}
# A list that a fault denies is requested again only after a minute.
prices: {{source: file, file: "{prices}"}}
"""
KILLS = (1.0, 2.0, 2.0, 1.5, 2.0)
# At the speed of the clock, the exporter is suspended for two and a half minutes.
PAUSE = 2.0


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_totals_equal_the_truth_after_five_kills_and_a_pause(tmp_path: Path, seed: int) -> None:
    clock = ScaledClock(75)
    async with Simulator(clock=clock, seed=seed, accounts=(ACCOUNT,), regions=(REGION,)) as simulator:
        add_jobs(simulator, REGION, 120, seed, 450)
        simulator.faults = mixture(0.2, seed)
        config, table = tmp_path / "config.yaml", price_table(tmp_path, simulator.prices, [REGION])
        config.write_text(CONFIG.format(state=tmp_path / "state.db", prices=table))
        highest: dict[Series, float] = {}
        for seconds in KILLS:
            exporter, url = await start(config, simulator)
            await asyncio.sleep(seconds)
            _never_lower(highest, await _scrape(url))
            exporter.send_signal(signal.SIGKILL)
            await exporter.wait()
        exporter, url = await start(config, simulator)
        await asyncio.sleep(1)
        _never_lower(highest, await _scrape(url))
        exporter.send_signal(signal.SIGSTOP)
        await asyncio.sleep(PAUSE)
        exporter.send_signal(signal.SIGCONT)
        _never_lower(highest, await _scrape(url))
        simulator.faults = Faults()
        wanted, got = None, None
        for _ in range(120):
            await asyncio.sleep(0.5)
            samples = await _scrape(url)
            _never_lower(highest, samples)
            lives = simulator.store.lives(clock.time())
            wanted, got = scheduled(lives, REGION, clock.time(), simulator.prices), counted(samples)
            if wanted == got and all_ended(lives, clock.time()):
                break
        exporter.terminate()
        assert await exporter.wait() == 0
    assert got == wanted, f"seed {seed}"


async def _scrape(url: str) -> Samples:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        shown = totals(await response.text())
    return shown.get((ACCOUNT, REGION), {})


def _never_lower(highest: dict[Series, float], samples: Samples) -> None:
    for key, value in samples.items():
        assert value >= highest.get(key, 0.0), key
        highest[key] = value
