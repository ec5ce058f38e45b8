"""Test what is written of the catalogue: as JSON, in Markdown, and the policy that each family needs."""

from __future__ import annotations

import json

from exporter.catalogue import CATALOGUE, GROUPS
from exporter.exposition.catalogue_docs import as_json, as_markdown
from tests.prometheus import ROOT
from tests.unit.test_catalogue import EXPECTED


def test_json_is_a_list_of_name_type_help_labels() -> None:
    rows = json.loads(as_json(GROUPS))
    assert {row["name"]: (row["type"], " ".join(row["labels"])) for row in rows} == {
        name: (kind, labels.strip()) for name, (kind, labels) in EXPECTED.items()
    }
    assert all(row.keys() == {"name", "type", "help", "labels"} and row["help"] for row in rows)


def test_markdown_has_a_row_for_each_family() -> None:
    lines = as_markdown(GROUPS).splitlines()
    assert lines[0] == "# Metrics"
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert rows == [family.name for family in CATALOGUE]
    assert all(line.count("|") == 5 for line in lines if line.startswith("| `"))


def test_every_family_needs_a_policy_that_exists_or_is_the_exporters_own() -> None:
    policies = {path.stem for path in (ROOT / "deploy/iam").glob("*.json")}
    assert {family.policy for family in CATALOGUE if family.policy} <= policies
    own = {family.name for family in CATALOGUE if not family.policy}
    assert own == {family.name for family in CATALOGUE if family.name.startswith("sagemaker_exporter_")}
