"""The names of a job's own metrics are kept, and nothing else of their definitions."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.training.parsing import Allowlist, parse


@pytest.mark.parametrize(
    ("definitions", "names"),
    [
        ([{"Name": "train:loss", "Regex": "secret=(.*)"}, {"Name": "acc", "Regex": "x"}], ("train:loss", "acc")),
        ([{"Name": "loss", "Regex": "a"}, {"Name": "loss", "Regex": "b"}], ("loss",)),
        ([{"Regex": "a"}, {"Name": ""}, {"Name": 7}, None, "loss"], ()),
        ("loss", ()),
        (None, ()),
    ],
)
def test_names_are_kept_each_once(definitions: object, names: tuple[str, ...]) -> None:
    answer: dict[str, Any] = {
        "TrainingJobName": "a",
        "TrainingJobStatus": "InProgress",
        "AlgorithmSpecification": {"MetricDefinitions": definitions},
    }
    job = parse(answer, "1", "r", Allowlist())
    assert job is not None
    assert job.metric_names == names
    assert "secret" not in repr(job)
