"""Test the queries of docs/totals.md in a real Prometheus with weeks of scrapes, across a restart of the exporter."""

from __future__ import annotations

import re
import statistics
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import PrometheusFactory
from tests.e2e.totals_answers import (
    ANSWERS,
    BLOCK,
    BOUNDS,
    OF_THE_MOMENT,
    Case,
    asked,
    billed,
    nonzero,
    queries,
    vector,
    waits,
)
from tests.e2e.totals_history import DOWN, END, NOVEMBER, OCTOBER, PRICES, STEP, UNSEEN, History, record
from tests.polling.simulated import HOUR
from tests.prometheus import ROOT, Outcome, Prometheus, scraping

QUERIES = queries()
# A month in which everything began, one with a restart in it, one that is asked for while the exporter is down, and a
# time that begins while Prometheus was.
TIMES = ((OCTOBER, NOVEMBER), (NOVEMBER, END), (NOVEMBER, DOWN[1] - 2 * HOUR), (UNSEEN[0] + 3 * HOUR, END))
BILLED = "sagemaker_training_billable_instance_seconds_total"


def test_every_query_of_the_document_has_an_answer_to_compare_with() -> None:
    assert set(QUERIES) == set(ANSWERS)


def test_the_readme_asks_what_the_document_asks() -> None:
    readme = (ROOT / "README.md").read_text()
    asked_there = BLOCK.findall(readme)
    assert len(asked_there) >= 3
    assert set(asked_there) <= set(QUERIES.values())


def test_the_rules_with_prices_are_rules(promtool: Callable[..., Outcome], tmp_path: Path) -> None:
    text = (ROOT / "docs/totals.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.+?)^```\n", text, re.MULTILINE | re.DOTALL)
    rules = tmp_path / "prices.rules.yml"
    rules.write_text(example)
    outcome = promtool("check", "rules", rules)
    assert outcome.returncode == 0, outcome.stderr
    recorded = {rule["record"] for group in yaml.safe_load(example)["groups"] for rule in group["rules"]}
    assert recorded == {"sagemaker_instance_price_dollars_per_hour"}


def test_the_recorded_series_that_the_document_names_are_recorded() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/sagemaker-recording.rules.yml").read_text())
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    named = set(re.findall(r"\w+:sagemaker_\w+:\w+", (ROOT / "docs/totals.md").read_text()))
    assert named
    assert named <= recorded


async def test_every_query_answers_what_the_schedule_says(prometheus: PrometheusFactory, tmp_path: Path) -> None:
    names = {name for query in QUERIES.values() for name in re.findall(r"sagemaker_\w+", query)}
    history = await record(tmp_path, names | {name.removesuffix("_bucket") for name in names})
    async with prometheus(scraping(), "--storage.tsdb.retention.time=100y") as server:
        for start, end in TIMES:
            # What Prometheus can know: a gap at the start is part of the queried range.
            case = Case(history.lives, history.seen(start), history.seen(end), PRICES)
            for title, query in QUERIES.items():
                if (start, end) != TIMES[1] and title in OF_THE_MOMENT:
                    continue
                due = nonzero(ANSWERS[title](case))
                assert due, f"{title}: there is nothing to see"
                got = vector(await server.query(asked(query, end - start), end))
                assert got == pytest.approx(due, rel=1e-9), f"{title}, {(end - start) / 86400} days"
            _assert_the_median_is_in_its_bucket(case)
            if (start, end) == TIMES[1]:
                await _assert_increase_goes_astray(server, case)
        await _assert_the_month_begins_at_midnight(server, history)


def _assert_the_median_is_in_its_bucket(case: Case) -> None:
    """Check the estimated median, which is as accurate as the buckets."""
    (estimate,) = ANSWERS["Median wait for capacity"](case).values()
    exact = statistics.median(waits(case))
    assert bisect_left(BOUNDS, estimate) == bisect_left(BOUNDS, exact)


async def _assert_the_month_begins_at_midnight(server: Prometheus, history: History) -> None:
    title = "This month, without Grafana"
    for start, end in ((OCTOBER, NOVEMBER - STEP), (NOVEMBER, NOVEMBER), (NOVEMBER, NOVEMBER + STEP)):
        due = nonzero(ANSWERS[title](Case(history.lives, history.seen(start), end, PRICES)))
        got = vector(await server.query(QUERIES[title], end))
        assert got == pytest.approx(due, rel=1e-9), end


async def _assert_increase_goes_astray(server: Prometheus, case: Case) -> None:
    """Check what the document says about increase(), on a type whose first job appeared together with its bill."""
    series = f'{BILLED}{{instance_type="ml.p5.48xlarge"}}'
    (found,) = await server.query(f"sum(increase({series}[{case.end - case.start:.0f}s]))", case.end)
    due = case.gained(billed)["ml.p5.48xlarge"]
    assert found.value != pytest.approx(due, rel=0.05)
