"""Test that any response is parsed without an error and rendered as a valid exposition."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition.section import Section
from exporter.exposition.text import TEXT
from exporter.ledger.series import difference
from exporter.training.facts import Facts
from exporter.training.families import JOBS, JobView
from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist, parse

# A slow machine must not fail the test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EVERYTHING = Allowlist(frozenset("*"), frozenset("*"), ("team",), 100)
ANSWERS: list[dict[str, Any]] = [
    json.loads(path.read_text()) for path in sorted((Path(__file__).parents[1] / "golden").glob("*.json"))
]

strings = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\ud800", "\udfff", 'a"\\\nb', "NaN", "Infinity", "a\rb"]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 1e308, -1])
scalars = st.none() | st.booleans() | numbers | strings
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3), max_leaves=6
)


@st.composite
def answers(draw: st.DrawFn) -> Any:
    """Draw a response of the golden cases in which some values are removed, doubled or replaced."""
    few = st.sampled_from([False] * 7 + [True])

    def mutated(value: Any) -> Any:
        if draw(few):
            return draw(values)
        if isinstance(value, dict):
            return {key: mutated(inner) for key, inner in value.items() if not draw(few)}
        if isinstance(value, list):
            return [mutated(inner) for inner in value for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2])))]
        return value

    return mutated(draw(st.sampled_from(ANSWERS)))


def rendered(job: TrainingJob) -> str:
    section: Section[JobView] = Section(JOBS.families, JOBS.samples, TEXT)
    section.put(job.name, (job.account, job.region, job.name), JobView(job))
    return b"".join(section.text(TEXT)).decode()


def check(job: TrainingJob) -> None:
    samples = [sample for family in text_string_to_metric_families(rendered(job)) for sample in family.samples]
    assert samples
    series = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in samples)
    assert [key for key, n in series.items() if n > 1] == []
    assert 0 <= job.identity.created_ms < 2**63
    facts = Facts.of(job)
    assert difference(Facts.from_json(facts.to_json()), None) == difference(facts, None)


@UNHURRIED
@given(answers())
def test_any_mutation_is_parsed_and_rendered(answer: Any) -> None:
    job = parse(answer, "123456789012", "eu-west-1", EVERYTHING)
    if job is not None:
        check(job)


@UNHURRIED
@given(values)
def test_any_value_is_parsed(answer: Any) -> None:
    assert parse(answer, "1", "r", EVERYTHING) is None


@UNHURRIED
@given(st.lists(st.tuples(strings, values), max_size=5), st.dictionaries(strings, strings, max_size=5))
def test_any_metrics_and_hyperparameters_are_rendered(metrics: list[tuple[str, Any]], pairs: dict[str, str]) -> None:
    answer = {
        "TrainingJobName": "job",
        "TrainingJobStatus": "Completed",
        "HyperParameters": pairs,
        "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
        "FinalMetricDataList": [{"MetricName": name, "Value": value, "Timestamp": value} for name, value in metrics],
    }
    job = parse(answer, "123456789012", "eu-west-1", EVERYTHING)
    assert job is not None
    check(job)


@pytest.mark.parametrize("missing", ["TrainingJobName", "TrainingJobStatus"])
def test_without_name_or_status_there_is_nothing_to_say(missing: str) -> None:
    answer = {key: value for key, value in ANSWERS[0].items() if key != missing}
    assert parse(ANSWERS[0], "1", "r", EVERYTHING) is not None
    assert parse(answer, "1", "r", EVERYTHING) is None


def test_metric_names_that_no_text_can_tell_apart_are_one_series() -> None:
    answer = {
        "TrainingJobName": "job",
        "TrainingJobStatus": "Completed",
        "FinalMetricDataList": [{"MetricName": "\ud800", "Value": 1}, {"MetricName": "\ud801", "Value": 2}],
    }
    job = parse(answer, "1", "r", EVERYTHING)
    assert job is not None
    assert [
        line.split()[-1]
        for line in rendered(job).splitlines()
        if line.startswith("sagemaker_training_job_final_metric{")
    ] == ["2"]


@pytest.mark.parametrize("nonsense", [10**400, 1e308, 2**63, -1, "Infinity", "NaN", True])
def test_a_number_that_makes_no_sense_is_unknown(nonsense: object) -> None:
    answer = {
        "TrainingJobName": "job",
        "TrainingJobStatus": "Completed",
        "CreationTime": nonsense,
        "BillableTimeInSeconds": nonsense,
        "BillableTokenCount": nonsense,
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": nonsense, "VolumeSizeInGB": nonsense},
        "ProgressInfo": {"CurrentStep": nonsense},
    }
    job = parse(answer, "1", "r", EVERYTHING)
    assert job is not None
    assert (job.created, job.billable_seconds, job.billable_tokens, job.volume_gib) == (None,) * 4
    assert (job.instances, job.progress.step) == ((), None)
    check(job)


def test_tags_are_asked_for_only_where_the_allowlist_names_some() -> None:
    assert not Allowlist(hyperparameters=frozenset({"epochs"})).wants_tags
    assert Allowlist(tags=frozenset({"team"})).wants_tags
    assert Allowlist(cost_tags=("team",)).wants_tags
