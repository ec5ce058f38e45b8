"""`check-config`: the configuration, and the web configuration beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli import main

BAD_WEB = "basic_auth_users: {alice: secret}\ntls_server_config: {}\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text("polling: {active_interval: 10s}\n")
    return file


def test_both_files_are_checked_and_both_named(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = tmp_path / "web.yml"
    web.write_text("rate_limit: {interval: 1s, burst: 5}\n")
    assert main(["check-config", str(good), "--web.config.file", str(web)]) == 0
    assert capsys.readouterr().out == f"{good}: OK\n{web}: OK\n"


@pytest.mark.parametrize("before", [False, True], ids=["flag after", "flag before"])
def test_a_bad_web_configuration_is_told_though_the_other_is_good(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], before: bool
) -> None:
    web = tmp_path / "web.yml"
    web.write_text(BAD_WEB)
    flag = ["--web.config.file", str(web)]
    check = ["check-config", str(good)]
    assert main([*flag, *check] if before else [*check, *flag]) == 1
    told = capsys.readouterr()
    assert told.out == f"{good}: OK\n"
    assert told.err.startswith(f"{web}:1: basic_auth_users.alice: is not a bcrypt hash")


def test_what_is_wrong_with_either_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, web = tmp_path / "config.yaml", tmp_path / "web.yml"
    config.write_text("pollling: {}\n")
    web.write_text(BAD_WEB)
    assert main(["check-config", str(config), "--web.config.file", str(web)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.partition(":")[0] for line in told.err.splitlines()] == [str(config), str(web)]


def test_certificates_are_tried(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: gone.pem, key_file: gone.key}\n")
    assert main(["check-config", str(good), "--web.config.file", str(web)]) == 1
    assert "gone.pem cannot be read: No such file or directory" in capsys.readouterr().err
