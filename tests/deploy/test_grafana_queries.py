"""Test every query of dashboards and documents: valid PromQL, existing families and labels, results from the demo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from exporter.catalogue import CATALOGUE
from exporter.training.deadline import LIMITS
from exporter.training.failures import FAILURE_CATEGORIES
from exporter.training.job import OUTCOMES, SECONDARY_STATUSES, STATUSES, WARM_POOL_STATUSES
from exporter.training.usage import USAGES
from exporter.training.waiting import WAITING_REASONS
from tests.conftest import PrometheusFactory
from tests.deploy import boards
from tests.deploy.boards import BOARDS, Asked
from tests.deploy.documented import of_documents
from tests.deploy.rule_labels import labels_of
from tests.deploy.ruleset import RECORDS
from tests.deploy.test_rules_live import copy_rules
from tests.e2e.demonstration import demonstration
from tests.prometheus import Outcome, Prometheus, scraping

OF_DASHBOARDS = [query for uid in BOARDS for query in (*boards.of_variables(uid), *boards.of_panels(uid))]
QUERIES = [*OF_DASHBOARDS, *of_documents()]
# In seconds. Only a query that never has data takes so long.
PATIENCE = 200.0
MARKS = [mark for uid in BOARDS for mark in boards.of_annotations(uid)]
# Metrics of Prometheus, and of its client.
FOREIGN = {"scrape_duration_seconds": set[str](), "process_start_time_seconds": set[str]()}
_SUFFIXES = {"counter": ("",), "gauge": ("",), "info": ("",), "histogram": ("_bucket", "_sum", "_count")}
TEAM = "tag_team"
LABELS = FOREIGN | {
    family.name + suffix: {
        *family.label_names,
        *(["le"] if suffix == "_bucket" else []),
        *([TEAM] if family.name.endswith("_total") else []),
    }
    for family in CATALOGUE
    for suffix in _SUFFIXES[family.kind]
}
LABELS |= {record: labels_of(record) for record in RECORDS}
VALUES = {
    "secondary_status": {*SECONDARY_STATUSES},
    "status": {*STATUSES, *OUTCOMES, *WARM_POOL_STATUSES},
    "category": {*FAILURE_CATEGORIES},
    "usage": {*USAGES},
    "limit": {*LIMITS},
    "reason": {*WAITING_REASONS},
    "spot": {"true", "false"},
}


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Return the selectors of a query, at any depth."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def families(selector: promql_parser.VectorSelector) -> set[str]:
    """Return the metric names that a selector matches, including `__name__=~"prefix_(a|b)"`."""
    if selector.name:
        return {selector.name}
    (pattern,) = [m.value for m in selector.matchers.matchers if m.name == "__name__"]
    prefix, _, names = pattern.partition("(")
    return {prefix + name for name in names.rstrip(")").split("|")}


@pytest.mark.parametrize("query", [*QUERIES, *MARKS], ids=lambda query: query.where)
def test_a_query_asks_for_families_labels_and_values_that_there_are(query: Asked) -> None:
    asked = selectors(boards.filled(query.expr, {**boards.ALL_PANELS, "job": "a-job"}))
    assert asked
    for selector in asked:
        for name in families(selector):
            assert name in LABELS
            for matcher in selector.matchers.matchers:
                assert matcher.name in {*LABELS[name], "__name__"}, (name, matcher.name)
                known = VALUES.get(matcher.name)
                assert known is None or set(matcher.value.split("|")) <= known, matcher


def test_labels_that_are_summed_by_or_shown_exist() -> None:
    every = {label for labels in LABELS.values() for label in labels}
    for uid in BOARDS:
        for panel in boards.panels(BOARDS[uid]):
            for target in panel["targets"]:
                shown = set(boards.LEGEND_LABEL.findall(target.get("legendFormat", "")))
                # A tag that jobs.tags may name.
                assert shown <= every | {"instance", "tag_team"}, panel["title"]


@pytest.mark.long
async def test_every_query_gives_data_on_a_prometheus_that_scraped_the_demo(
    prometheus: PrometheusFactory, tmp_path: Path
) -> None:
    """The demo is scraped twice, like two exporters or a restarted pod: no query may fail or count twice."""
    copy_rules(tmp_path)
    with demonstration(tmp_path, "--jobs", "120", "--seed", "5", "--speed", "4") as demo:
        demo.wait_until_ready()
        twice = (demo.address, demo.address.replace("127.0.0.1", "localhost"))
        # On a busy machine a scrape takes more than half a second, and one that fails ends all series of a moment.
        patient = scraping(*twice, interval="3s", extra="rule_files: ['*recording.rules.yml']")
        async with prometheus(patient) as server:
            labels = await _labels_of_answers(server, PATIENCE)
            assert [f"{query.where}: {query.expr}" for query in QUERIES if query not in labels] == []
            (now,) = [query for query in QUERIES if query.where == "sagemaker-cost: Fleet cost per hour A"]
            by_one = "max(sum by (instance) (sagemaker_training_cost_per_hour))"
            shown = f"({boards.filled(now.expr, boards.ALL_PANELS)}) / on () {by_one}"
            # The rule is evaluated after the scrape, and jobs start and end in between.
            await server.wait_until(lambda: server.query(f"abs({shown} - 1) < 0.01"))
    for uid in BOARDS:
        for panel in boards.panels(BOARDS[uid]):
            of_panel = [labels[query] for query in boards.asked_by(uid, panel)]
            assert boards.label_columns(panel) <= set[str]().union(*of_panel), panel["title"]


async def _labels_of_answers(server: Prometheus, within: float) -> dict[Asked, set[str]]:
    """Return the labels of the queries that had results at some time, as not all things happen at once."""
    began, deadline = time.time(), time.monotonic() + within
    found: dict[Asked, set[str]] = {}
    while (missing := [query for query in QUERIES if query not in found]) and time.monotonic() < deadline:
        for query in missing:
            if answer := await _answer(server, query, began):
                found[query] = {label for labels in answer for label in labels}
        await asyncio.sleep(0.5)
    return found


async def _answer(server: Prometheus, query: Asked, began: float) -> list[dict[str, str]]:
    """Return the labels of each series. The query is for all jobs, because no single job has every series."""
    expr = boards.filled(query.expr.replace('="$job"', '=~"$job"'), {**boards.ALL_PANELS, "job": ".+"})
    if query.instant:
        return [sample.labels for sample in await server.query(expr)]
    return [series.labels for series in await server.query_range(expr, start=began - 5, end=time.time(), step=1)]


def test_the_menu_of_a_variable_is_made_of_a_label_that_its_family_has() -> None:
    asked: list[Any] = [query for query in QUERIES if query.label]
    assert {query.label for query in asked} == {"aws_account_id", "aws_region", "instance_type", "job_name", TEAM}
    for query in asked:
        (selector,) = selectors(boards.filled(query.expr, boards.ALL_PANELS))
        assert all(query.label in LABELS[name] for name in families(selector)), query


def test_graphs_mark_restarts_reloads_and_outages(promtool: Callable[..., Outcome], tmp_path: Path) -> None:
    (restart, reload, down) = [boards.filled(mark.expr, boards.ALL_PANELS) for mark in MARKS[:3]]
    place = '{aws_account_id="000000000000", aws_region="eu-west-1"}'
    series = {
        'sagemaker_exporter_build_info{instance="a", job="x", version="1"}': "1x4",
        'process_start_time_seconds{instance="a", job="x"}': "100 100 100 9000 9000",
        'process_start_time_seconds{instance="other", job="y"}': "50x4",
        # Loaded at the start, reloaded, and loaded at the next start.
        'sagemaker_exporter_config_reload_timestamp_seconds{instance="a", job="x"}': "101 101 300 9001 9001",
        f"sagemaker_exporter_target_up{place}": "1 1 0 0 1",
    }
    marked = {
        restart: [{"a": 100_000}, {"a": 100_000}, {"a": 100_000}, {"a": 9_000_000}, {"a": 9_000_000}],
        reload: [{}, {}, {"a": 300_000}, {}, {}],
        down: [{"": 0}, {"": 0}, {"": 1}, {"": 1}, {"": 0}],
    }
    checks = [
        {
            "expr": expr,
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": f'{{instance="{of}", job="x"}}' if of else place, "value": n} for of, n in due.items()
            ],
        }
        for expr, expected in marked.items()
        for minute, due in enumerate(expected)
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": "1m", "input_series": given, "promql_expr_test": checks}
    (tmp_path / "case.yml").write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    outcome = promtool("test", "rules", tmp_path / "case.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
