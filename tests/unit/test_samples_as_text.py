"""Test labels and numbers in both dialects, and the samples of a job."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics_parser

from exporter.exposition.family import Family, Histogram, Total
from exporter.exposition.text import OPENMETRICS, TEXT, escape, labelled, number
from exporter.training.failures import failure_category
from exporter.training.job import Identity, TrainingJob, Transition

# A slow machine must not fail the test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# It has no types.
OPENMETRICS_PARSER: Any = openmetrics_parser
COUNTER: Family[None] = Family("test_seconds_total", "counter", "Test.", ("key",), ("spot",), lambda _: ())
HISTOGRAM: Family[None] = Family(
    "test_duration_seconds", "histogram", "Test.", ("key",), (), lambda _: (), buckets=(1.0, 2.5)
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.1, "0.1"), (1e300, "1e+300"), (2.0**53, "9007199254740992.0")],
)
def test_numbers_are_as_short_as_can_be(value: float, text: str) -> None:
    assert number(value) == text


@UNHURRIED
@given(st.floats())
def test_numbers_read_back_as_themselves(value: float) -> None:
    back = float(number(value))
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_label_values_are_escaped() -> None:
    assert escape('a"b\\c\nd') == r"a\"b\\c\nd"
    assert escape("plain") == "plain"


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["app.kubernetes.io/name"], ["tag_app_kubernetes_io_name"]),
        (["costCenter"], ["tag_cost_center"]),
        (["a-b", "a_b"], ["tag_a_b_conflict1", "tag_a_b_conflict2"]),
        (["a-b", "a_b", "a_b_conflict1"], ["tag_a_b_conflict2", "tag_a_b_conflict3", "tag_a_b_conflict1"]),
    ],
)
def test_keys_become_label_names_as_kube_state_metrics_makes_them(keys: list[str], names: list[str]) -> None:
    assert [name for name, _ in labelled("tag", tuple((key, "v") for key in keys))] == names


@UNHURRIED
@given(st.dictionaries(st.text("aA_-1conflict", max_size=12), st.just("v"), max_size=8))
def test_label_names_are_unique_for_any_keys(pairs: dict[str, str]) -> None:
    names = [name for name, _ in labelled("tag", tuple(pairs.items()))]
    assert len(set(names)) == len(pairs)


def test_openmetrics_gives_counters_and_histograms_with_their_beginning() -> None:
    text = b"".join(
        [
            OPENMETRICS.header(COUNTER),
            OPENMETRICS.lines(COUNTER, 'key="k"', [(("true", (("team", "a"),)), Total(2.5, 100.0))]),
            OPENMETRICS.header(HISTOGRAM),
            OPENMETRICS.lines(HISTOGRAM, 'key="k"', [((), Histogram((1.0, 1.0, 3.0), 12.5, 100.0))]),
            OPENMETRICS.end,
        ]
    ).decode()
    counter, histogram = OPENMETRICS_PARSER.text_string_to_metric_families(text)
    assert (counter.name, counter.type, histogram.type) == ("test_seconds", "counter", "histogram")
    labels = {"key": "k", "spot": "true", "tag_team": "a"}
    assert [(s.name, s.labels, s.value) for s in counter.samples] == [
        ("test_seconds_total", labels, 2.5),
        ("test_seconds_created", labels, 100.0),
    ]
    assert [(s.name, s.labels.get("le"), s.value) for s in histogram.samples] == [
        ("test_duration_seconds_bucket", "1.0", 1.0),
        ("test_duration_seconds_bucket", "2.5", 1.0),
        ("test_duration_seconds_bucket", "+Inf", 3.0),
        ("test_duration_seconds_sum", None, 12.5),
        ("test_duration_seconds_count", None, 3.0),
        ("test_duration_seconds_created", None, 100.0),
    ]


def test_the_text_format_keeps_a_counters_name_and_has_no_created() -> None:
    assert b"# TYPE test_seconds_total counter\n" in TEXT.header(COUNTER)
    assert TEXT.lines(COUNTER, "", [(("true",), Total(1.0, 9.0))]) == b'test_seconds_total{spot="true"} 1\n'


def test_of_samples_with_the_same_labels_the_last_wins() -> None:
    assert TEXT.lines(COUNTER, "", [(("a",), 1.0), (("a",), 2.0)]) == b'test_seconds_total{spot="a"} 2\n'


def job(status: str, *transitions: Transition, secondary: str | None = None) -> TrainingJob:
    return TrainingJob(
        account="1", region="r", name="job", status=status, secondary_status=secondary, transitions=transitions
    )


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("AlgorithmError: exit code 1", "AlgorithmError"),
        ("ClientError: no such bucket", "ClientError"),
        ("InternalServerError: try again", "InternalServerError"),
        ("CapacityError: none", "CapacityError"),
        ("InsufficientCapacityError: none", "CapacityError"),
        ("the AlgorithmError is named later", "Other"),
        ("", "Other"),
    ],
)
def test_failures_are_of_a_bounded_kind(reason: str, category: str) -> None:
    assert failure_category(reason) == category


def test_a_job_being_deleted_ended_as_its_last_transition_says() -> None:
    assert job("Deleting", Transition("MaxRuntimeExceeded", 1.0, 2.0)).outcome == "Stopped"
    assert job("Deleting", secondary="Completed").outcome == "Completed"
    assert job("Deleting").outcome is None
    assert job("InProgress", secondary="Completed").outcome is None


def test_a_job_that_failed_early_ended_with_its_last_transition() -> None:
    assert job("Failed", Transition("Starting", 1.0, 5.0), Transition("Failed", 5.0, None)).ended_at == 5.0
    assert job("Failed", Transition("Starting", 1.0, 5.0)).ended_at is None
    assert job("InProgress", Transition("Completed", 1.0, 5.0)).ended_at is None


def test_a_transition_that_goes_back_in_time_took_an_unknown_while() -> None:
    assert Transition("Training", 5.0, 4.0).seconds is None
    assert Transition("Training", 5.0, None).seconds is None
    assert Transition("Training", 0.1, 0.3).seconds == 0.2


def test_a_job_is_known_by_its_creation_to_the_millisecond() -> None:
    one = TrainingJob(account="1", region="r", name="job", created=1623637290.633)
    assert one.identity == Identity("1", "r", "job", 1623637290633)
    assert job("InProgress").identity.created_ms == 0
