"""Test the strict comparison with AWS's model on descriptions that differ from it in one way each."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest

from exporter.doctor.conformity import Deviation, deviations
from exporter.simulator import Life, describe, steady
from tests.prometheus import ROOT

SHAPE: Any = (
    botocore.session.get_session().get_service_model("sagemaker").operation_model("DescribeTrainingJob").output_shape
)
Wire = dict[str, Any]


def _description() -> Wire:
    (life,) = steady(1, 1_700_000_000.0, seconds=3600)
    answer = describe(life, 1_700_010_000.0)
    answer["HyperParameters"] = {"my secret": "another"}
    return copy.deepcopy(answer)


def _found(answer: object) -> list[Deviation]:
    return sorted(deviations(SHAPE, answer))


def test_what_conforms_has_no_deviation() -> None:
    assert _found(_description()) == []
    # A float may be one of three words on the wire.
    metric = {"MetricName": "loss", "Value": "NaN", "Timestamp": 1.0}
    assert _found({**_description(), "FinalMetricDataList": [metric]}) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests/golden").glob("real_answer*.json")), ids=lambda path: path.stem)
def test_real_answers_conform(path: Any) -> None:
    answer = json.loads(path.read_text())
    assert _found(answer.get("describe", answer)) == []


def _set(*path: str | int, value: object) -> Callable[[Wire], None]:
    def change(answer: Wire) -> None:
        inner: Any = answer
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


def _drop(name: str) -> Callable[[Wire], None]:
    return lambda answer: answer.pop(name)


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        (_set("NewField", value={"a": "b"}), "NewField", "is a field that the model lacks"),
        (_set("ResourceConfig", "NewField", value=1), "ResourceConfig.NewField", "is a field that the model lacks"),
        (
            _set("SecondaryStatusTransitions", 0, "NewField", value=1),
            "SecondaryStatusTransitions[].NewField",
            "is a field that the model lacks",
        ),
        (_set("my-key", value=1), "(a name unlike those of AWS)", "is a field that the model lacks"),
        (_drop("CreationTime"), "CreationTime", "is missing"),
        (_set("TrainingJobStatus", value="Sleeping"), "TrainingJobStatus", "has a value that the model lacks"),
        (_set("CreationTime", value="2026"), "CreationTime", "is a string, in the model timestamp"),
        (_set("CreationTime", value=None), "CreationTime", "is null, in the model timestamp"),
        (_set("BillableTimeInSeconds", value=1.5), "BillableTimeInSeconds", "is a number, in the model integer"),
        (_set("BillableTimeInSeconds", value=True), "BillableTimeInSeconds", "is a boolean, in the model integer"),
        (_set("EnableManagedSpotTraining", value=1), "EnableManagedSpotTraining", "is a number, in the model boolean"),
        (_set("HyperParameters", "my secret", value=1), "HyperParameters{}", "is a number, in the model string"),
        (_set("HyperParameters", value=[]), "HyperParameters", "is a list, in the model map"),
        (_set("SecondaryStatusTransitions", value={}), "SecondaryStatusTransitions", "is an object, in the model list"),
        (_set("ResourceConfig", value="s"), "ResourceConfig", "is a string, in the model structure"),
    ],
)
def test_each_deviation_has_a_path_of_names_and_no_value(
    change: Callable[[Wire], None], path: str, problem: str
) -> None:
    answer = _description()
    change(answer)
    assert _found(answer) == [(path, problem)]


def test_an_answer_that_is_no_object_is_one_deviation() -> None:
    assert _found([]) == [("", "is a list, in the model structure")]


def test_a_life_of_every_kind_conforms() -> None:
    lives: list[Life] = list(steady(3, 1_700_000_000.0))
    assert [_found(describe(life, 1_700_000_100.0)) for life in lives] == [[], [], []]
