"""Test that equal responses give the cached record, and different ones a new record."""

from __future__ import annotations

import copy
import gc
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.parse_cache import ParseCache
from exporter.training.parsing import Allowlist, parse

EVERYTHING = Allowlist(frozenset("*"), frozenset("*"), ("team",), 100)
ANSWERS: list[dict[str, Any]] = [
    json.loads(path.read_text()) for path in sorted((Path(__file__).parents[1] / "golden").glob("*.json"))
]
METRICS = {"TrainingJobName": "a", "TrainingJobStatus": "Completed", "FinalMetricDataList": [{"MetricName": "loss"}]}


def records() -> ParseCache:
    return ParseCache("123456789012", "us-east-1", EVERYTHING)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.get("TrainingJobName", ""))
def test_the_same_answer_gives_the_same_record(answer: dict[str, Any]) -> None:
    known = records()
    job = known.parse(answer)
    assert job == parse(answer, "123456789012", "us-east-1", EVERYTHING)
    assert job is not None
    assert known.parse(copy.deepcopy(answer)) is job


@pytest.mark.parametrize("value", [0.5, 1, math.nan, math.inf, "NaN", None, 10**400])
def test_another_value_gives_another_record(value: object) -> None:
    known = records()
    first = known.parse(METRICS)
    changed = copy.deepcopy(METRICS)
    changed["FinalMetricDataList"] = [{"MetricName": "loss", "Value": value}]
    second = known.parse(changed)
    assert second is not first
    assert repr(second) == repr(parse(changed, "123456789012", "us-east-1", EVERYTHING))


def test_what_is_no_json_is_parsed_all_the_same() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    job = records().parse({"TrainingJobName": "a", "TrainingJobStatus": "Completed", "CreationTime": when})
    assert job is not None
    assert job.created == when.timestamp()


def test_an_answer_without_a_job_has_no_record() -> None:
    known = records()
    assert known.parse({}) is None
    assert known.parse({}) is None


def test_nothing_is_remembered_of_jobs_that_nobody_keeps() -> None:
    known = records()
    kept = [known.parse({"TrainingJobName": f"job-{number}", "TrainingJobStatus": "Failed"}) for number in range(10)]
    assert len(known) == 10
    del kept[3:]
    gc.collect()
    assert len(known) == 3
