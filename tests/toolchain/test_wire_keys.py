"""Test that AWS's field names are used only where responses are parsed and where calls are made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.prometheus import ROOT

OPERATIONS = ("ListTrainingJobs", "DescribeTrainingJob", "ListTags")
# A response of Search may contain other resources; the exporter requests only training jobs.
SHAPES = ("SearchRequest", "TrainingJob")


def _members(shape: Any, seen: set[str]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name
            yield from _members(member, seen)
    elif shape.type_name == "list":
        yield from _members(shape.member, seen)


@pytest.fixture(scope="module")
def keys() -> frozenset[str]:
    """Return the name of every field that the exporter sends to SageMaker or reads from it."""
    service: Any = botocore.session.get_session().get_service_model("sagemaker")
    models = [service.operation_model(name) for name in OPERATIONS]
    shapes = [shape for model in models for shape in (model.input_shape, model.output_shape)]
    shapes += [service.shape_for(name) for name in SHAPES]
    seen = set[str]()
    found = {key for shape in shapes for key in _members(shape, seen)}
    assert {"TrainingJobName", "CreationTime", "NextToken", "TrainingJobSummaries", "Key"} <= found
    return frozenset(found)


def _texts(module: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _named(folder: Path, keys: frozenset[str]) -> list[str]:
    modules = sorted(folder.rglob("*.py"))
    assert modules
    texts = ((module, line, text) for module in modules for line, text in _texts(module))
    return [f"{module.relative_to(ROOT)}:{line} {text}" for module, line, text in texts if text in keys]


@pytest.mark.parametrize("folder", ["polling", "ledger", "exposition"])
def test_no_field_of_an_answer_is_named_behind_the_parser(folder: str, keys: frozenset[str]) -> None:
    assert _named(ROOT / "exporter" / folder, keys) == []


def test_a_field_that_is_named_is_found(keys: frozenset[str]) -> None:
    assert any("CreationTime" in found for found in _named(ROOT / "exporter/training", keys))
