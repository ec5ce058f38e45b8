"""Test `check-config` with the configuration and the web configuration."""

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


def test_a_region_that_the_sdk_does_not_know_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    role = "arn:aws:iam::123456789012:role/a"
    file.write_text(
        f"targets:\n- regions: [us-east-1, us-esat-1]\n- {{role_arn: {role}, regions: [cn-north-1, zz-nowhere-1]}}\n"
    )
    assert main(["check-config", str(file)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{file}: OK\n"
    unknown = "is not a region that the AWS SDK knows"
    assert told.err.splitlines() == [
        f'warning: {file}:2: targets[0].regions[1]: "us-esat-1" {unknown}, did you mean us-east-1?',
        f'warning: {file}:3: targets[1].regions[1]: "zz-nowhere-1" {unknown}',
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("us-esat-1", "us-east-1"),
        ("eu-wset-1", "eu-west-1"),
        ("us-west-11", "us-west-1"),
        ("eu-centrl-1", "eu-central-1"),
        ("us-gov-wset-1", "us-gov-west-1"),
        ("cn-nroth-1", "cn-north-1"),
    ],
)
def test_the_region_that_was_meant_is_named(
    written: str, meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"targets: [{{regions: [{written}]}}]\n")
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr().err.endswith(f"did you mean {meant}?\n")


def test_a_warning_is_told_beside_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("targets: [{regions: [us-esat-1, Frankfurt]}]\n")
    assert main(["check-config", str(file)]) == 1
    warning, error = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: {file}:1: targets[0].regions[0]: ")
    assert error.startswith(f'{file}:1: targets[0].regions[1]: "Frankfurt" is not an AWS region')


def test_a_file_that_never_ends_is_refused(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "/dev/zero"]) == 1
    assert main(["check-config", str(good), "--web.config.file", "/dev/zero"]) == 1
    too_large = "/dev/zero: is too large (allowed: a file of YAML of at most 1 MiB)"
    assert capsys.readouterr().err.splitlines() == [too_large, too_large]
