"""Test that every example in the documents works: configurations, chart values, Terraform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.cli import main
from exporter.config import Config
from exporter.prices import files as price_files
from exporter.web.config.format import WebConfig, parse
from tests.deploy import terraform
from tests.docs.markdown import Block, Document, documents
from tests.prometheus import ROOT

DOCUMENTS = documents()
CHART = ROOT / "deploy/helm/sagemaker-exporter"
SECTIONS = set(Config.key_names())
WEB = set(WebConfig.key_names())
# What other programs take, and what tests them: of Prometheus and Alertmanager, of Kubernetes.
FOREIGN = {"alerting", "global", "groups", "inhibit_rules", "receivers", "remote_write", "route", "rule_files"}
FOREIGN |= {"apiVersion", "metric_relabel_configs", "scrape_configs"}


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(document, block, id=f"{document.name}:{block.line}")
        for document in DOCUMENTS
        for block in document.blocks
        if block.language == language
    ]


@pytest.mark.parametrize(("document", "block"), blocks("yaml"))
def test_every_yaml_is_taken_by_what_it_is_for(
    document: Document,
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in yaml.safe_load_all(block.text):
        keys = set(value) if isinstance(value, dict) else {"scrape_configs"}
        text = yaml.safe_dump(value).replace("/var/lib/sagemaker-exporter/", "")
        if keys <= SECTIONS:
            Path("config.yaml").write_text(text)
            assert main(["check-config", "config.yaml"]) == 0, capsys.readouterr().err
        elif keys <= {"currency", "regions"}:
            Path("prices.yaml").write_text(block.text)
            assert price_files.read("prices.yaml").lists
        elif keys <= WEB:
            parse(block.text.encode(), "web.yaml")
        elif not keys & FOREIGN:
            jsonschema.validate(value, json.loads((CHART / "values.schema.json").read_text()))


@pytest.mark.parametrize(("document", "block"), blocks("hcl"))
def test_every_call_of_a_module_gives_it_what_it_wants(document: Document, block: Block, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(block.text)
    calls = terraform.read(tmp_path).named("module.")
    assert calls, document.name
    for call in calls.values():
        inputs = terraform.read(ROOT / call["source"].rpartition("//")[2].partition("?")[0]).named("var.")
        assert terraform.arguments(call) <= inputs.keys()
        assert {name for name, variable in inputs.items() if "default" not in variable} <= call.keys()


def test_no_example_is_of_a_language_that_nobody_checks() -> None:
    languages = {block.language for document in DOCUMENTS for block in document.blocks}
    checked = {"yaml", "hcl"} | {"", "sh", "shell", "bash", "console"}
    # promql: tests of the totals, the rules and the runbooks. mermaid and text are pictures.
    assert languages <= checked | {"promql", "mermaid", "text"}
