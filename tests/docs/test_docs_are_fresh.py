"""Test that documents agree with the code and files that they describe."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session

from exporter.catalogue import GROUPS
from exporter.exposition import catalogue_docs as document

_ROOT = Path(__file__).parents[2]


def test_docs_metrics_is_what_the_catalogue_says() -> None:
    assert (_ROOT / "docs/metrics.md").read_text() == document.as_markdown(GROUPS) + "\n"


def test_every_field_of_the_api_is_fed_or_left_out_with_a_reason() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    answer = model.operation_model("DescribeTrainingJob").output_shape
    assert answer is not None
    fields = set(answer.members)
    rows = re.findall(r"^\| ([A-Z][\w, ]*) \| (.+) \|$", (_ROOT / "docs/fields.md").read_text(), re.MULTILINE)
    named = [name for row, _ in rows for name in row.split(", ")]
    assert set(named) == fields
    assert len(named) == len(set(named))
    assert all(reason.strip() for _, reason in rows)


def test_the_architecture_names_every_module_and_only_those_there_are() -> None:
    tables = re.findall(r"^\| (`.+`) \|", (_ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    named = {name for row in tables for name in re.findall(r"`([\w/]+(?:\.py)?)`", row)}
    exporter = _ROOT / "exporter"
    modules = {path.name for path in exporter.glob("*.py")} - {"__init__.py", "__main__.py"}
    packages = {f"{path.parent.name}/" for path in exporter.glob("*/__init__.py")}
    assert named == modules | packages
