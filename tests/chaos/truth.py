"""Compute from the simulator's schedule which totals an exporter must show, and read them from a scrape."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from exporter.simulator import Prices, Simulator, total
from exporter.simulator.casting import Casting
from exporter.simulator.generator import DEMO_PACE
from exporter.simulator.life import Life
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES
from exporter.simulator.truth import expected
from exporter.training.totals import DURATION_BUCKETS
from exporter.training.usage import USAGES

Series = tuple[str, tuple[tuple[str, str], ...]]
Samples = Mapping[Series, float]
_TARGET = ("aws_account_id", "aws_region")


def add_jobs(simulator: Simulator, region: str, number: int, seed: int, until: float) -> None:
    """Add jobs of all shapes, created from five minutes ago until `until` seconds from now."""
    account, now = simulator.accounts[0], simulator.clock.time()
    rng = seeded(seed, "kills", region)
    for serial in range(number):
        cast = Casting(rng, now + rng.uniform(-300, until), account, region, DEMO_PACE, serial)
        simulator.store.add(account, region, *SHAPES[rng.choice(sorted(SHAPES))](cast))


def counted(samples: Samples) -> dict[Series, float]:
    """Return the samples that are not 0, without the target's labels and the empty buckets of histograms.

    Spot savings are left out: they wait until a job is settled, which a debugger rule delays by up to a day.
    """
    return {
        (name.removeprefix("sagemaker_training_"), tuple(pair for pair in labels if pair[0] not in _TARGET)): value
        for (name, labels), value in samples.items()
        if value and not name.endswith("_created") and "_spot_saved_" not in name
    }


def scheduled(lives: Sequence[Life], region: str, now: float, prices: Prices) -> dict[Series, float]:
    """Return the same samples of the target in this region, computed from the schedule of its jobs."""
    truth, found = total(lives, now), _costs(lives, region, now, prices)
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


def all_ended(lives: Sequence[Life], now: float) -> bool:
    truth = total(lives, now)
    return truth.created == sum(truth.finished.values())


def price_table(folder: Path, prices: Prices, regions: Iterable[str]) -> Path:
    """Write the prices of the simulator as a table, and return its path."""
    table = folder / "prices.yaml"
    rows = [
        line
        for region in regions
        for line in (
            f"  {region}:",
            *(
                f"    {kind}: {{{', '.join(f'{usage}: {prices.of(region, kind, usage)}' for usage in USAGES)}}}"
                for kind in prices.training
                if prices.of(region, kind) is not None
            ),
        )
    ]
    table.write_text("\n".join(["currency: USD", "regions:", *rows, ""]))
    return table


def _costs(lives: Iterable[Life], region: str, now: float, prices: Prices) -> dict[Series, float]:
    """Return costs in dollars: each is rounded once for each job, type and usage."""
    costs = Counter[tuple[str, str]]()
    for life in lives:
        job = expected(life, now)
        prepaid = "TrainingPlanArn" in life.spec.get("ResourceConfig", {})
        usage = "spot_training" if life.spot else "training"
        billed = ((usage, job.billable_instance_seconds), ("warm_pool", job.retained_instance_seconds))
        for key, kind, seconds in ((k, kind, s) for k, by_type in billed for kind, s in by_type.items()):
            price = None if prepaid else prices.of(region, kind, key)
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
