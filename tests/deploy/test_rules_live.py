"""Test the rules in a real Prometheus that scrapes the demo: all evaluate, and recording rules have results."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.training.failures import FAILURE_CATEGORIES
from tests.conftest import PrometheusFactory
from tests.deploy.ruleset import FILES, RECORDS, RULES
from tests.e2e.demonstration import Demonstration, demonstration
from tests.prometheus import Outcome, Prometheus, scraping

AVERAGE = "model:sagemaker_training_job_final_metric:avg"
OF_FAILURES = {f"SageMakerTrainingJob{kind}" for kind in ("Failed", "AlgorithmError", "CapacityError")}
# The median excludes the last hour. These times are before that, so that no test has to wait.
HOURS_AGO = (3.0, 2.0)


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with demonstration(tmp_path_factory.mktemp("fast"), "--jobs", "20", "--speed", "20") as running:
        running.wait_until_ready()
        yield running


def copy_rules(directory: Path) -> None:
    """Copy the rules with an interval as short as that of the test's Prometheus."""
    for file in FILES:
        (directory / file.name).write_text(re.sub(r"interval: \d+m", "interval: 500ms", file.read_text()))


def write_history(directory: Path, promtool: Callable[..., Outcome]) -> None:
    labels = 'aws_account_id="123456789012",aws_region="us-east-1",model="resnet50",metric_name="validation:accuracy"'
    lines = [f"{AVERAGE}{{{labels}}} 0.75 {time.time() - hours * 3600:.0f}" for hours in HOURS_AGO]
    text = directory / "history.txt"
    text.write_text("\n".join([f"# TYPE {AVERAGE} gauge", *lines, "# EOF", ""]))
    outcome = promtool("tsdb", "create-blocks-from", "openmetrics", text, directory / "data")
    assert outcome.returncode == 0, outcome.stderr


async def rules_of(server: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in (await server.api("rules"))["groups"] for rule in group["rules"]]


async def silent(server: Prometheus) -> list[str]:
    """Return the recording rules without results so far."""
    answers = await asyncio.gather(*(server.query(record) for record in RECORDS))
    return [record for record, samples in zip(RECORDS, answers, strict=True) if not samples]


@pytest.mark.long
async def test_every_rule_evaluates_and_every_recording_rule_gives_data(
    prometheus: PrometheusFactory, promtool: Callable[..., Outcome], fast: Demonstration, tmp_path: Path
) -> None:
    copy_rules(tmp_path)
    write_history(tmp_path, promtool)
    # On a busy machine a scrape takes more than half a second, and one that fails ends all series of a moment.
    config = scraping(fast.address, interval="2s", job="sagemaker-exporter", extra='rule_files: ["*.rules.yml"]')
    missing: list[str] = []

    async def complete() -> bool:
        missing[:] = await silent(server)
        return not missing

    async def told() -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = (await server.api("alerts"))["alerts"]
        return [each for each in alerts if each["labels"]["alertname"] in OF_FAILURES]

    async with prometheus(config, "--query.lookback-delta=10s") as server:
        await server.wait_until(lambda: server.query("up == 1"))
        try:
            await server.wait_until(complete, within=200)
        except AssertionError as error:
            raise AssertionError(f"no data of {missing}") from error
        failures = await server.wait_until(told)
        rules = await rules_of(server)

    assert len(rules) == len(RULES)
    assert [(rule["name"], rule["health"], rule.get("lastError", "")) for rule in rules if rule["health"] != "ok"] == []
    names = {failure["labels"]["job_name"] for failure in failures}
    assert len(names) == len(failures) > 0
    # The category and the owner come by joins; the reason, which may be secret, never, though the demo shows it.
    assert {failure["labels"]["category"] for failure in failures} <= {*FAILURE_CATEGORIES}
    assert not {"reason"} & {label for failure in failures for label in failure["labels"]}
    assert [failure for failure in failures if failure["labels"].get("owner")]
