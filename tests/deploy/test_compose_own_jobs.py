"""Test the compose file that replaces the demo by the user's own jobs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main
from exporter.config.located import parse
from tests.prometheus import ROOT

DEPLOY = ROOT / "deploy"
BASE = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
OWN = yaml.safe_load((DEPLOY / "compose/own-jobs.yml").read_text())
EXPORTER: dict[str, Any] = OWN["services"]["exporter"]


def test_it_changes_only_what_the_demo_has() -> None:
    assert OWN["services"].keys() <= BASE["services"].keys()
    assert EXPORTER.keys() <= BASE["services"]["exporter"].keys() | {"environment", "volumes"}


def test_the_configuration_is_mounted_where_the_command_looks_for_it() -> None:
    mounts = {target: source for source, target, *_ in (volume.split(":") for volume in EXPORTER["volumes"])}
    (flag,) = EXPORTER["command"]
    source = DEPLOY / mounts[flag.removeprefix("--config.file=")]
    assert source == DEPLOY / "compose/exporter.yaml"
    assert [name for name in mounts.values() if not name.startswith("./")] == list(OWN["volumes"])


def test_the_totals_are_kept_on_the_volume_that_the_image_makes_writable() -> None:
    document, problems = parse((DEPLOY / "compose/exporter.yaml").read_bytes(), "exporter.yaml")
    assert problems == []
    value: Any = document.value
    directory, _, _ = value["state"]["path"].rpartition("/")
    assert f"state:{directory}" in EXPORTER["volumes"]
    assert f"WORKDIR {directory}" in (ROOT / "Dockerfile").read_text()


def test_the_exporter_takes_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DEPLOY / "compose/exporter.yaml").read_text()
    # With the example of targets, too.
    uncommented = re.sub(r"^#((?:targets:|  - ).*)$", r"\1", text, flags=re.MULTILINE)
    assert uncommented != text
    for content in (text, uncommented):
        file = tmp_path / "config.yaml"
        file.write_text(content.replace("/var/lib/sagemaker-exporter", str(tmp_path)))
        assert main(["check-config", str(file)]) == 0, capsys.readouterr().err
