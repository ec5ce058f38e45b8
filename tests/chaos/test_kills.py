"""A churning fleet, a fifth of all answers faulty, the exporter killed with -9 five times: the totals are the truth."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Faults, ScaledClock, Simulator, Totals, mixture, total
from exporter.simulator.casting import Casting
from exporter.simulator.generator import DEMO_PACE
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES

ACCOUNT, REGION = "123456789012", "us-east-1"
CONFIG = """
web: {{listen_address: "127.0.0.1:0"}}
polling: {{discovery_interval: 1s, active_interval: 1s, resync_interval: 10s, settle: 2m, list_rps: 100,
          describe_rps: 500, timeout: 2s, max_concurrency: 10}}
targets: [{{regions: [us-east-1]}}]
totals: {{backfill: 1d}}
state: {{path: "{state}"}}
"""
Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
KILLS = (1.5, 2.5, 3.0, 2.0, 2.5)


@pytest.mark.parametrize("seed", [1, 2])
async def test_totals_equal_the_truth_after_five_kills(tmp_path: Path, seed: int) -> None:
    clock = ScaledClock(60)
    async with Simulator(clock=clock, seed=seed, accounts=(ACCOUNT,), regions=(REGION,)) as simulator:
        rng = seeded(seed, "kills")
        for serial in range(150):
            cast = Casting(rng, clock.time() + rng.uniform(-300, 600), ACCOUNT, REGION, DEMO_PACE, serial)
            simulator.store.add(ACCOUNT, REGION, *SHAPES[rng.choice(sorted(SHAPES))](cast))
        simulator.faults = mixture(0.2, seed)
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(state=tmp_path / "state.db"))
        highest: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for seconds in KILLS:
            exporter, url = await _start(config, simulator)
            await asyncio.sleep(seconds)
            _never_lower(highest, await _scrape(url))
            exporter.send_signal(signal.SIGKILL)
            await exporter.wait()
        simulator.faults = Faults()
        exporter, url = await _start(config, simulator)
        wanted, got = None, None
        for _ in range(60):
            await asyncio.sleep(1)
            samples = await _scrape(url)
            _never_lower(highest, samples)
            wanted, got = _expected(total(simulator.store.lives(clock.time()), clock.time())), _counted(samples)
            if wanted == got and _all_ended(simulator, clock.time()):
                break
        exporter.terminate()
        assert await exporter.wait() == 0
    assert got == wanted, f"seed {seed}"


async def _start(config: Path, simulator: Simulator) -> tuple[asyncio.subprocess.Process, str]:
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL_SAGEMAKER": simulator.url,
        "AWS_ENDPOINT_URL_STS": simulator.url,
        "AWS_ACCESS_KEY_ID": simulator.access_key(ACCOUNT),
        "AWS_SECRET_ACCESS_KEY": "simulated",
    }
    exporter = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter", "--config.file", str(config), "--log.level", "error",
        stdout=asyncio.subprocess.PIPE, env=environ,
    )  # fmt: skip
    assert exporter.stdout
    line = (await exporter.stdout.readline()).decode()
    return exporter, line.split()[2].rstrip(",")


async def _scrape(url: str) -> Samples:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        text = await response.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("sagemaker_training_") and family.type in ("counter", "histogram")
        for sample in family.samples
    }


def _never_lower(highest: dict[tuple[str, tuple[tuple[str, str], ...]], float], samples: Samples) -> None:
    for key, value in samples.items():
        assert value >= highest.get(key, 0.0), key
        highest[key] = value


def _counted(samples: Samples) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for (name, labels), value in samples.items():
        if name.endswith("_total") and value:
            values = tuple(v for k, v in labels if k not in ("aws_account_id", "aws_region"))
            found[name.removeprefix("sagemaker_training_").removesuffix("_total"), *values] = value
    return found


def _expected(truth: Totals) -> dict[tuple[str, ...], float]:
    counted: dict[str, Mapping[str, int] | Mapping[tuple[str, str], int]] = {
        "jobs_finished": truth.finished,
        "jobs_failed": truth.failed,
        "seconds": truth.seconds,
        "billable_seconds": truth.billable_seconds,
        "instance_seconds": truth.instance_seconds,
        "billable_instance_seconds": truth.billable_instance_seconds,
        "warm_pool_retained_billable_instance_seconds": truth.retained_instance_seconds,
    }
    found: dict[tuple[str, ...], float] = {
        ("jobs_created",): truth.created,
        ("spot_interruptions",): truth.interruptions,
        ("warm_pool_retained_billable_seconds",): truth.retained_seconds,
        ("warm_pool_reuses",): truth.reuses,
    }
    for name, values in counted.items():
        for key, value in values.items():
            found[name, *(key if isinstance(key, tuple) else (key,))] = value
    return {key: value for key, value in found.items() if value}


def _all_ended(simulator: Simulator, now: float) -> bool:
    truth = total(simulator.store.lives(now), now)
    return truth.created == sum(truth.finished.values())
