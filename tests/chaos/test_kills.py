"""Test that the totals are right after kill -9, a pause and faults.

Many jobs come and go, a fifth of all responses is faulty, and the exporter is killed five times and suspended once.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Faults, Prices, ScaledClock, Simulator, mixture, total
from exporter.simulator.casting import Casting
from exporter.simulator.generator import DEMO_PACE
from exporter.simulator.life import Life
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES
from exporter.simulator.truth import expected
from exporter.training.totals import DURATION_BUCKETS
from exporter.training.usage import USAGES

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
Series = tuple[str, tuple[tuple[str, str], ...]]
Samples = Mapping[Series, float]
_TARGET = ("aws_account_id", "aws_region")
KILLS = (1.0, 2.0, 2.0, 1.5, 2.0)
# At the speed of the clock, the exporter is suspended for two and a half minutes.
PAUSE = 2.0


@pytest.mark.parametrize("seed", [1, 2])
async def test_totals_equal_the_truth_after_five_kills_and_a_pause(tmp_path: Path, seed: int) -> None:
    clock = ScaledClock(75)
    async with Simulator(clock=clock, seed=seed, accounts=(ACCOUNT,), regions=(REGION,)) as simulator:
        rng = seeded(seed, "kills")
        for serial in range(120):
            cast = Casting(rng, clock.time() + rng.uniform(-300, 450), ACCOUNT, REGION, DEMO_PACE, serial)
            simulator.store.add(ACCOUNT, REGION, *SHAPES[rng.choice(sorted(SHAPES))](cast))
        simulator.faults = mixture(0.2, seed)
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(state=tmp_path / "state.db", prices=_price_table(tmp_path, simulator.prices)))
        highest: dict[Series, float] = {}
        for seconds in KILLS:
            exporter, url = await _start(config, simulator)
            await asyncio.sleep(seconds)
            _never_lower(highest, await _scrape(url))
            exporter.send_signal(signal.SIGKILL)
            await exporter.wait()
        exporter, url = await _start(config, simulator)
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
            wanted, got = _expected(simulator, clock.time()), _counted(samples)
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
        "AWS_ENDPOINT_URL_PRICING": simulator.url,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": simulator.url,
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


def _never_lower(highest: dict[Series, float], samples: Samples) -> None:
    for key, value in samples.items():
        assert value >= highest.get(key, 0.0), key
        highest[key] = value


def _counted(samples: Samples) -> dict[Series, float]:
    """Return the samples that are not 0, without the target's labels and the empty buckets of histograms.

    Spot savings are left out: they wait until a job is settled, which a debugger rule delays by up to a day.
    """
    return {
        (name.removeprefix("sagemaker_training_"), tuple(pair for pair in labels if pair[0] not in _TARGET)): value
        for (name, labels), value in samples.items()
        if value and not name.endswith("_created") and "_spot_saved_" not in name
    }


def _expected(simulator: Simulator, now: float) -> dict[Series, float]:
    """Return the same samples, computed from the schedule."""
    lives = simulator.store.lives(now)
    truth, found = total(lives, now), _costs(lives, now, simulator.prices)
    for name, label_names, values in (
        ("jobs_created", (), {(): truth.created}),
        ("jobs_finished", ("status",), truth.finished),
        ("jobs_failed", ("category",), truth.failed),
        ("jobs_stopped", ("cause",), truth.stopped),
        ("seconds", ("spot",), truth.seconds),
        ("billable_seconds", ("spot",), truth.billable_seconds),
        ("instance_seconds", ("instance_type", "spot"), truth.instance_seconds),
        ("billable_instance_seconds", ("instance_type", "spot"), truth.billable_instance_seconds),
        ("spot_interruptions", (), {(): truth.interruptions}),
        ("warm_pool_retained_billable_seconds", (), {(): truth.retained_seconds}),
        ("warm_pool_retained_billable_instance_seconds", ("instance_type",), truth.retained_instance_seconds),
        ("warm_pool_reuses", (), {(): truth.reuses}),
    ):
        for labels, value in values.items():
            pairs = zip(label_names, labels if isinstance(labels, tuple) else (labels,), strict=True)
            found[f"{name}_total", tuple(pairs)] = value
    for name, label_names, observed in (
        ("job_duration_seconds", ("status",), truth.durations),
        ("phase_duration_seconds", ("secondary_status",), truth.phases),
        ("queue_duration_seconds", ("instance_type", "spot"), truth.queues),
    ):
        for labels, seconds in observed.items():
            pairs = zip(label_names, labels if isinstance(labels, tuple) else (labels,), strict=True)
            found |= _histogram(name, tuple(pairs), seconds)
    return {key: value for key, value in found.items() if value}


def _price_table(folder: Path, prices: Prices) -> Path:
    """Write the prices of the simulator as a table, and return its path."""
    table = folder / "prices.yaml"
    rows = [
        f"    {kind}: {{{', '.join(f'{usage}: {prices.of(REGION, kind, usage)}' for usage in USAGES)}}}"
        for kind in prices.training
        if prices.of(REGION, kind) is not None
    ]
    table.write_text("\n".join(["currency: USD", "regions:", f"  {REGION}:", *rows, ""]))
    return table


def _costs(lives: Iterable[Life], now: float, prices: Prices) -> dict[Series, float]:
    """Return costs in dollars: each is rounded once for each job, type and usage."""
    costs = Counter[tuple[str, str]]()
    for life in lives:
        job = expected(life, now)
        prepaid = "TrainingPlanArn" in life.spec.get("ResourceConfig", {})
        usage = "spot_training" if life.spot else "training"
        billed = ((usage, job.billable_instance_seconds), ("warm_pool", job.retained_instance_seconds))
        for key, kind, seconds in ((k, kind, s) for k, by_type in billed for kind, s in by_type.items()):
            price = None if prepaid else prices.of(REGION, kind, key)
            if price is not None:
                costs[kind, key] += _nano(seconds, price)
    found: dict[Series, float] = {}
    for (kind, key), amount in costs.items():
        found["cost_total", (("currency", "USD"), ("instance_type", kind), ("usage", key))] = amount / 10**9
    return found


def _nano(seconds: int, price: Decimal) -> int:
    return round(Fraction(price) * seconds / 3600 * 10**9)


def _histogram(name: str, labels: tuple[tuple[str, str], ...], seconds: Sequence[float]) -> dict[Series, float]:
    found: dict[Series, float] = {
        (f"{name}_count", labels): len(seconds),
        (f"{name}_sum", labels): round(sum(seconds), 3),
    }
    for bound in (*DURATION_BUCKETS, math.inf):
        le = "+Inf" if math.isinf(bound) else f"{bound:.1f}"
        below = sum(value <= bound for value in seconds)
        found[f"{name}_bucket", tuple(sorted((("le", le), *labels)))] = below
    return found


def _all_ended(simulator: Simulator, now: float) -> bool:
    truth = total(simulator.store.lives(now), now)
    return truth.created == sum(truth.finished.values())
