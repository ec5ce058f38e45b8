"""Test the figures and examples of docs/scaling.md."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from exporter.catalogue import CATALOGUE
from exporter.config import Polling, load
from exporter.exposition.section import Section
from exporter.exposition.text import TEXT
from exporter.training.families import JOBS, JobView
from exporter.training.parsing import Allowlist, parse
from exporter.training.totals import DURATION_BUCKETS
from tests import virtual_time
from tests.deploy.ruleset import RECORDS
from tests.prometheus import ROOT, Outcome
from tests.service.test_cardinality import exposed, polled

PAGE = (ROOT / "docs/scaling.md").read_text()
GOLDEN = ROOT / "tests/golden"
KINDS = re.findall(r"^\| [^|]+ \| `(\w+)`(?: \+ (\d+))? \| (\d+) \|$", PAGE, re.MULTILINE)
CALLS = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def series(case: str, metrics: int) -> Iterator[str]:
    """Return the samples of a golden case, with this many final metrics."""
    answer = json.loads((GOLDEN / f"{case}.json").read_text())
    if metrics:
        answer["FinalMetricDataList"] = [
            {"MetricName": f"metric-{number}", "Value": 0.5, "Timestamp": 1700000000.0} for number in range(metrics)
        ]
    job = parse(answer, "123456789012", "eu-west-1", Allowlist())
    assert job is not None
    section: Section[JobView] = Section(JOBS.families, JOBS.samples, TEXT)
    section.put(job.name, (job.account, job.region, job.name), JobView(job))
    lines = b"".join(section.text(TEXT)).decode().splitlines()
    yield from (line for line in lines if not line.startswith("#"))


def test_there_are_kinds_of_jobs_in_the_table() -> None:
    assert len(KINDS) == 11
    assert len(CALLS) == 3


@pytest.mark.parametrize(("case", "metrics", "number"), KINDS)
def test_a_job_makes_as_many_series_as_the_table_says(case: str, metrics: str, number: str) -> None:
    assert len(list(series(case, int(metrics or 0)))) == int(number)


@pytest.mark.parametrize(("active", "describes", "describe_rate", "searches", "search_rate"), CALLS)
def test_the_table_of_calls_is_what_the_defaults_make(
    active: str, describes: str, describe_rate: str, searches: str, search_rate: str
) -> None:
    number, polling = int(active.replace(",", "")), Polling()
    listed = 1 / polling.discovery_interval
    assert int(describes.replace(",", "")) == number
    assert float(describe_rate) == pytest.approx(number / polling.active_interval + listed, abs=0.06)
    assert int(searches.replace(",", "")) == math.ceil(number / 100)
    assert float(search_rate) == pytest.approx(math.ceil(number / 100) / polling.active_interval + listed, abs=0.006)


def test_the_limits_named_are_the_defaults() -> None:
    polling = Polling()
    assert (polling.describe_rps, polling.search_rps, polling.list_rps) == (20, 1, 1)
    assert polling.describe_rps * polling.active_interval == 600
    assert polling.search_rps * polling.active_interval * 100 == 3000


def test_a_target_without_jobs_makes_as_many_series_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> int:
        async with polled(monkeypatch, running=0) as app:
            families = (await exposed(app)).families
        return sum("aws_region" in sample.labels for family in families for sample in family.samples)

    said = re.search(r"A target makes (\d+) series without a single job", PAGE)
    assert said
    assert int(said[1]) == virtual_time.run(scenario()) < 60


def test_a_value_of_a_histogram_makes_as_many_series_as_the_page_says() -> None:
    said = re.search(r"makes (\d+) series for each value of its label", PAGE)
    assert said
    assert int(said[1]) == len(DURATION_BUCKETS) + len(("+Inf", "sum", "count"))


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_taken_by_the_program_it_is_for(
    text: str, tmp_path: Path, promtool: Callable[..., Outcome]
) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(text)
    keys = set(yaml.safe_load(text))
    if "groups" in keys:
        checked = promtool("check", "rules", str(file))
        assert checked.returncode == 0, checked
        assert "2 rules found" in checked.stdout
    elif "scrape_configs" in keys:
        checked = promtool("check", "config", str(file))
        assert checked.returncode == 0, checked
    else:
        assert load(str(file), {"HOSTNAME": "sagemaker-exporter-2"}).sharding.total in {1, 3}


def sent(number: int) -> Callable[[str], bool]:
    """Return the series that the write_relabel_configs of that remote_write keep."""
    found = [yaml.safe_load(text) for text in EXAMPLES if "remote_write" in text]
    (write,) = found[number]["remote_write"]

    def passes(name: str) -> bool:
        for rule in write["write_relabel_configs"]:
            assert rule["source_labels"] == ["__name__"]
            if (re.fullmatch(rule["regex"], name) is not None) != (rule["action"] == "keep"):
                return False
        return True

    return passes


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_sent_on_are_the_fleet_the_totals_and_what_was_recorded(number: int) -> None:
    passes = sent(number)
    of_jobs = {record for record in RECORDS if record.startswith("job:")}
    assert of_jobs
    for name in (
        "sagemaker_training_jobs",
        "sagemaker_training_instances",
        "sagemaker_training_billable_instance_seconds_total",
        "sagemaker_training_phase_duration_seconds_bucket",
        "sagemaker_exporter_target_up",
        *(RECORDS.keys() - of_jobs),
    ):
        assert passes(name), name
    for name in (
        "sagemaker_training_job_info",
        "sagemaker_training_job_status",
        "node_cpu_seconds_total",
        "up",
        *of_jobs,
    ):
        assert not passes(name), name


@pytest.mark.parametrize(("number", "extra"), [(0, set[str]()), (1, {"sagemaker_training_job_duration_seconds"})])
def test_every_family_that_is_not_of_single_jobs_is_sent_on(number: int, extra: set[str]) -> None:
    passes = sent(number)
    sent_on = {family.name for family in CATALOGUE if passes(family.name)}
    of_fleets = {family.name for family in CATALOGUE if not family.name.startswith("sagemaker_training_job_")}
    assert sent_on == of_fleets | extra
