"""Test that a real Prometheus scrapes the demo, and that PromQL returns what `/metrics` shows."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.catalogue import CATALOGUE
from exporter.exposition.family import Family
from tests.conftest import PrometheusFactory
from tests.e2e.demonstration import Demonstration, demonstration
from tests.e2e.exposed import Exposed
from tests.prometheus import Outcome, Prometheus, scraping

STATUS = "sagemaker_training_job_status"
INFO = "sagemaker_training_job_info"


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with demonstration(tmp_path_factory.mktemp("scraped"), "--jobs", "6") as running:
        running.wait_until_ready()
        yield running


async def exposed(demo: Demonstration) -> Exposed:
    return Exposed((await asyncio.to_thread(demo.get, "/metrics")).text)


def total(metrics: Exposed) -> dict[str, float]:
    found: Counter[str] = Counter()
    for labels, value in metrics.rows(STATUS):
        found[labels["status"]] += int(value)
    return dict(found)


async def agreed(server: Prometheus, demo: Demonstration) -> bool:
    """Return whether Prometheus, half a second behind, agrees with the exporter. Jobs change every few seconds."""
    samples = await server.query(f"sum by (status) ({STATUS})")
    return {s.labels["status"]: s.value for s in samples} == total(await exposed(demo))


async def test_promql_finds_what_the_exporter_says(prometheus: PrometheusFactory, scraped: Demonstration) -> None:
    async with prometheus(scraping(scraped.address)) as server:
        await server.wait_until(lambda: server.query("up == 1"))
        assert [s.value for s in await server.query("count(sagemaker_exporter_target_up == 1)")] == [2]
        await server.wait_until(lambda: agreed(server, scraped), within=30)
        assert len(await server.query(f"sum by (status) ({STATUS})")) >= 6
        # Each job is in one status, and of one kind.
        assert await server.query(f"sum by (aws_account_id, aws_region, job_name) ({STATUS}) != 1") == []
        assert await server.query(f"count by (aws_account_id, aws_region, job_name) ({INFO}) != 1") == []
        joined = f"{STATUS} * on (aws_account_id, aws_region, job_name) group_left (instance_type) {INFO} == 1"
        assert await server.query(f"count({joined}) == count({INFO})")


def family_name(family: Family[Any]) -> str:
    """Return the name of a family in OpenMetrics, where counters have no _total and infos no _info."""
    return re.sub("_(total|info)$", "", family.name)


async def test_prometheus_takes_every_family_and_sample(prometheus: PrometheusFactory, scraped: Demonstration) -> None:
    async with prometheus(scraping(scraped.address)) as server:
        await server.wait_until(lambda: server.query("up == 1"))
        kinds = {name: {one["type"] for one in them} for name, them in (await server.api("metadata")).items()}
        (taken,) = await server.query("scrape_samples_scraped")
        (kept,) = await server.query("scrape_samples_post_metric_relabeling")
    names = {family_name(family): family.kind for family in CATALOGUE}
    assert {name: kinds.get(name) for name in names} == {name: {kind} for name, kind in names.items()}
    assert taken.value == kept.value > 1000


def test_promtool_has_nothing_to_say(promtool: Callable[..., Outcome], scraped: Demonstration) -> None:
    text = scraped.get("/metrics").text
    outcome = promtool("check", "metrics", stdin=text)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_openmetrics_parses(scraped: Demonstration) -> None:
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    answer = scraped.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parse(answer.text)}
    assert answer.text.endswith("# EOF\n")
    found = {name: family.type for name, family in families.items()}
    assert {family_name(family): family.kind for family in CATALOGUE}.items() <= found.items()
    samples = families["sagemaker_training_jobs_created"].samples
    created = [s for s in samples if s.name.endswith("_created")]
    # One for each of the two targets, and for each team there.
    assert len(created) == sum(s.name.endswith("_total") for s in samples) > 2
    assert all(time.time() - 300 < s.value <= time.time() for s in created)
