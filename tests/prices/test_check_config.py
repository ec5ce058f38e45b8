"""Test that `check-config` reports the problems of a price file, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli import main
from tests.prices.listed import index_json, item

TABLE = "regions: {us-gov-west-1: {ml.m5.xlarge: 0.30}}\n"


def test_the_file_of_prices_is_checked_with_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("prices: {source: file, file: prices.yaml}")
    Path("prices.yaml").write_text(TABLE)
    assert main(["check-config", "config.yaml"]) == 0
    assert capsys.readouterr().out == "config.yaml: OK\nprices.yaml: OK\n"
    Path("prices.yaml").write_text(TABLE.replace("0.30", "-1"))
    assert main(["check-config", "config.yaml"]) == 1
    assert "prices.yaml:1: " in capsys.readouterr().err


def test_entries_of_awss_list_that_cannot_be_used_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("prices: {file: prices.json}")
    Path("prices.json").write_text(index_json([item(), item("ml.m5.large", "-1")]))
    assert main(["check-config", "config.yaml"]) == 1
    assert "the price -1 is negative" in capsys.readouterr().err
