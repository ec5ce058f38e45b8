"""Test how totals start: preset series with 0, their start time and buckets, and jobs from before."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.simulator import Life, steady, total
from exporter.simulator.casting import Casting
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import heterogeneous
from exporter.training.failures import FAILURE_CATEGORIES
from exporter.training.job import OUTCOMES
from exporter.training.totals import DURATION_BUCKETS, TOTAL_FAMILIES
from tests.displays import Showing
from tests.e2e.exposed import Exposed
from tests.polling.simulated import DAY, HOUR, START, Exporter, Settings, due, exporter
from tests.sagemaker import TARGET, Region

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])


async def exposition(one: Exporter, openmetrics: bool) -> str:
    board = Showing(one.ledger, started=START)
    board.target(TARGET, one.tracker.counts(), one.health, 0)
    return b"".join([piece async for piece in board.metrics(openmetrics, gzip=False)]).decode()


async def test_known_values_are_there_with_0_before_anything_happened() -> None:
    async with exporter(Region()) as one:
        await one.live(60)
        metrics = Exposed(await exposition(one, openmetrics=False))
    alone, spot = {()}, {("true",), ("false",)}
    outcomes = {(status,) for status in OUTCOMES}
    known = {
        "jobs_created_total": ((), alone),
        "jobs_finished_total": (("status",), outcomes),
        "jobs_failed_total": (("category",), {(category,) for category in FAILURE_CATEGORIES}),
        "seconds_total": (("spot",), spot),
        "billable_seconds_total": (("spot",), spot),
        "spot_interruptions_total": ((), alone),
        "warm_pool_retained_billable_seconds_total": ((), alone),
        "warm_pool_reuses_total": ((), alone),
        # Each value of theirs makes twenty series, and most never occur.
        "job_duration_seconds_count": (("status",), set()),
        "phase_duration_seconds_count": (("secondary_status",), set()),
        # Instance types are not known in advance.
        "instance_seconds_total": (("instance_type", "spot"), set()),
    }
    for name, (labels, values) in known.items():
        rows = metrics.rows(f"sagemaker_training_{name}")
        assert {tuple(its[label] for label in labels) for its, _ in rows} == values, name
        assert {value for _, value in rows} <= {0.0}, name


async def test_histograms_have_the_label_values_that_occurred() -> None:
    async with exporter(Region(*steady(1, START + 10, seconds=600))) as one:
        await one.live(HOUR)
        metrics = Exposed(await exposition(one, openmetrics=False))
    assert metrics.by("sagemaker_training_job_duration_seconds_count", "status") == {("Completed",): 1}
    phases = {"Starting", "Downloading", "Training", "Completed"}
    for name in ("count", "sum", "bucket"):
        rows = metrics.rows(f"sagemaker_training_phase_duration_seconds_{name}")
        assert {labels["secondary_status"] for labels, _ in rows} == phases
        assert len(rows) == len(phases) * (len(DURATION_BUCKETS) + 1 if name == "bucket" else 1)


async def test_a_type_is_there_with_0_before_its_first_bill() -> None:
    async with exporter(Region(*steady(1, START + 10))) as one:
        await one.live(300)
        metrics = Exposed(await exposition(one, openmetrics=False))
    for name in ("instance_seconds_total", "billable_instance_seconds_total"):
        value = metrics.value(f"sagemaker_training_{name}", instance_type="ml.g5.2xlarge", spot="false")
        assert value == 0, name


async def test_openmetrics_says_since_when_each_total_counts_and_a_restart_does_not_change_that(tmp_path: Path) -> None:
    region = Region(*steady(1, START + HOUR, seconds=600))
    async with exporter(region, tmp_path / "db") as one:
        await one.live(3 * HOUR)
        before = created(await exposition(one, openmetrics=True))
    region.clock.advance(DAY)
    async with exporter(region, tmp_path / "db") as one:
        await one.live(HOUR)
        after = created(await exposition(one, openmetrics=True))
    assert after == before
    # Series of costs start with a price, and there is none here.
    counted = (family for family in TOTAL_FAMILIES if family.kind != "gauge" and family.parts == 1)
    counters = {family.name.removesuffix("_total") for family in counted}
    assert {name for name, _ in before} == counters - {
        "sagemaker_training_warm_pool_retained_billable_instance_seconds"
    }
    of_a_type = before.pop(("sagemaker_training_instance_seconds", ("ml.g5.2xlarge", "false")))
    assert START + HOUR <= of_a_type <= START + HOUR + 120
    assert before.pop(("sagemaker_training_billable_instance_seconds", ("ml.g5.2xlarge", "false"))) == of_a_type
    # So do histograms, with the first observation of a value.
    for key in [key for key in before if key[0].endswith("_duration_seconds")]:
        assert START + HOUR <= before.pop(key) <= START + 2 * HOUR
    assert {round(began, 3) for began in before.values()} == {START}


def created(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the created times by family and by the labels other than the target's."""
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    found = {}
    for family in parse(text):
        for sample in family.samples:
            if sample.name == f"{family.name}_created" and family.name.startswith("sagemaker_training_"):
                its = tuple(value for key, value in sample.labels.items() if not key.startswith("aws_"))
                found[family.name, its] = sample.value
    return found


def test_buckets_reach_from_a_second_to_the_longest_training_with_no_wide_gap() -> None:
    assert DURATION_BUCKETS[0] == 1
    assert DURATION_BUCKETS[-1] == 28 * DAY
    assert all(low < high <= 5 * low for low, high in pairwise(DURATION_BUCKETS))
    # Waits of minutes, an hour, a night and a week must be in different buckets.
    told = [bisect_left(DURATION_BUCKETS, seconds) for seconds in (3, 20, 90, 240, HOUR, 8 * HOUR, 6 * DAY, 27 * DAY)]
    assert told == sorted(set(told))


def test_histograms_are_named_so_that_native_ones_can_follow() -> None:
    histograms = [family for family in TOTAL_FAMILIES if family.kind == "histogram"]
    assert len(histograms) == 3
    for family in histograms:
        assert family.name.endswith("_seconds")
        assert not {"le", "quantile"} & set(family.label_names)


def ended(ago: float, name: str) -> Life:
    """Return a job that ended this long before the first start."""
    (life,) = steady(1, START - ago - 600 - 90, name, seconds=600)
    return life


@STRATEGIES
async def test_backfill_counts_what_ended_that_long_before_the_very_first_start(search: bool, tmp_path: Path) -> None:
    inside, outside = ended(2 * HOUR, "inside"), ended(4 * HOUR, "outside")
    # Created before the time that is filled in, and ended in it.
    (long,) = steady(1, START - 10 * HOUR, "long", seconds=9 * HOUR)
    region, settings = Region(outside, inside, long), Settings(search, backfill=3 * HOUR)
    for _ in range(2):
        async with exporter(region, tmp_path / "db", settings) as one:
            await one.live(2 * HOUR)
            assert one.counted("jobs_finished") == {("Completed",): 2}
            assert one.sums() == due(total((inside, long), region.now()))
        # A later start fills in nothing else, whenever it comes.
        region.clock.advance(DAY)


@STRATEGIES
async def test_a_later_start_with_backfill_counts_from_the_first_start_on(search: bool, tmp_path: Path) -> None:
    region = Region(ended(2 * HOUR, "before"))
    for backfill, jobs in ((0.0, {}), (3 * HOUR, {(): 1.0})):
        async with exporter(region, tmp_path / "db", Settings(search, backfill=backfill)) as one:
            await one.live(2 * HOUR)
            assert one.counted("jobs_created") == jobs
        region.clock.advance(DAY)


@STRATEGIES
async def test_a_heterogeneous_cluster_counts_by_type(search: bool) -> None:
    clusters = [
        heterogeneous(Casting(seeded(seed), START + 60, *TARGET, pace=0.1, serial=seed))[0] for seed in range(8)
    ]
    region = Region(*clusters)
    async with exporter(region, settings=Settings(search)) as one:
        await one.live(2 * HOUR)
        assert {len(life.groups) for life in clusters} == {2, 3}
        billed = one.counted("billable_instance_seconds")
        assert set(billed) == {("ml.p4d.24xlarge", "false"), ("ml.c5n.18xlarge", "false")}
        assert billed == due(region.truth())["billable_instance_seconds"]
        # Billable time itself is counted once, not for each group.
        assert one.counted("billable_seconds") == due(region.truth())["billable_seconds"]
