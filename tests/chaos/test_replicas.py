"""Test that replicas count every job once, whatever happens to them and to their database.

Three processes share five targets in a real PostgreSQL. A seed decides what happens: kills, suspensions, stops and
restarts of the database, at times together; a fifth of all responses of AWS is faulty. `make chaos SEEDS=20` runs more
seeds than `make long`, `make chaos SEED=17` repeats one.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.simulator import ScaledClock, Simulator, mixture
from tests import postgres
from tests.chaos.fleet import KILLED, Fleet, fleet
from tests.chaos.histories import happen
from tests.chaos.truth import add_jobs, price_table

_ONE = os.environ.get("CHAOS_SEED")
_SEEDS = [int(_ONE)] if _ONE else range(int(os.environ.get("CHAOS_SEEDS") or 1))
# How many seeds `make long` runs.
_FIRST = 2
_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1")
_REPLICAS, _STEPS, _JOBS, _SPEED = 3, 4, 12, 30
_CONFIG = """
web: {{listen_address: "127.0.0.1:0"}}
polling: {{discovery_interval: 1s, active_interval: 1s, resync_interval: 10s, settle: 2m, list_rps: 100,
          describe_rps: 500, timeout: 2s, max_concurrency: 10}}
targets: [{{regions: [{regions}]}}]
totals: {{backfill: 1d}}
state: {{url: "{url}"}}
prices: {{source: file, file: "{prices}"}}
quotas: {{interval: 0s}}
"""


@pytest.fixture
def programs() -> Path:
    return postgres.programs_or_skip()


@pytest.mark.long
async def test_totals_equal_the_schedule_after_any_history(programs: Path, tmp_path: Path) -> None:
    # Most of a history is waiting.
    async with asyncio.TaskGroup() as histories:
        for seed in range(_FIRST):
            histories.create_task(_history(seed, programs, tmp_path))


@pytest.mark.soak
@pytest.mark.parametrize("seed", _SEEDS)
async def test_totals_equal_the_schedule_on_many_more_seeds(seed: int, programs: Path, tmp_path: Path) -> None:
    await _history(seed, programs, tmp_path)


@pytest.mark.long
async def test_from_one_replica_to_five_and_back_no_total_changes(programs: Path, tmp_path: Path) -> None:
    with postgres.running(programs) as server, server.database() as url:
        async with _running(tmp_path, url, 1, seed=1, seconds=20) as replicas:
            for _ in range(4):
                await replicas.start()
            await replicas.spread(each=1, within=90)
            for replica in replicas.alive[:4]:
                await replicas.terminate(replica)
            await replicas.spread(each=len(_REGIONS), within=90)


@pytest.mark.long
async def test_totals_survive_a_failover_to_a_standby(programs: Path, tmp_path: Path) -> None:
    with postgres.running(programs) as primary, postgres.standby(programs, primary) as standby:
        places = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        url = f"postgresql://{postgres.USER}@{places}/postgres?target_session_attrs=read-write"
        async with _running(tmp_path, url, 2, seed=2, seconds=20) as replicas:
            replicas.fault("stop of the primary", KILLED)
            await asyncio.to_thread(primary.stop, "immediate")
            await asyncio.to_thread(standby.promote)
            replicas.fault("promotion of the standby", KILLED)
            await replicas.all_shown()


@pytest.mark.long
async def test_a_database_that_hangs_holds_no_stop_up_and_changes_no_total(programs: Path, tmp_path: Path) -> None:
    with postgres.running(programs) as server, server.database() as url:
        async with _running(tmp_path, url, 2, seed=3, seconds=20) as replicas:
            replicas.fault("the database hangs", KILLED)
            with server.suspended():
                # The time that systemd grants a process.
                await replicas.terminate(replicas.alive[0], within=10)
                await asyncio.sleep(5)
            replicas.fault("the database answers", KILLED)
            await replicas.all_shown()


async def _history(seed: int, programs: Path, tmp_path: Path) -> None:
    folder, rng = tmp_path / f"seed-{seed}", random.Random(seed)
    folder.mkdir()
    try:
        with postgres.running(programs) as server, server.database() as url:
            async with _running(folder, url, _REPLICAS, seed, 40) as replicas:
                for _ in range(_STEPS):
                    await happen(replicas, server, rng)
    except Exception as error:
        error.add_note(f"the same again: make chaos SEED={seed}; logs: {folder}")
        raise


@asynccontextmanager
async def _running(folder: Path, url: str, replicas: int, seed: int, seconds: float) -> AsyncIterator[Fleet]:
    """Run replicas while jobs are created for some seconds."""
    async with Simulator(clock=ScaledClock(_SPEED), seed=seed, regions=_REGIONS) as simulator:
        for region in _REGIONS:
            add_jobs(simulator, region, _JOBS, seed, seconds * _SPEED)
        simulator.faults = mixture(0.2, seed)
        prices = price_table(folder, simulator.prices, _REGIONS)
        config = folder / "config.yaml"
        config.write_text(_CONFIG.format(url=url, regions=", ".join(_REGIONS), prices=prices))
        async with fleet(config, simulator, folder, replicas) as running:
            yield running
