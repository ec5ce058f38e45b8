"""Test that no value of an answer leaves the process, whatever the answers contain, and with the most talkative log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from tests.doctor.filled import SECRET, Fill, answer, ended, secret, serving

pytestmark = pytest.mark.long

_ACCOUNT = "210987654321"
_CONFIG = f"""
targets:
  - regions: [us-east-1]
  - regions: [eu-west-1]
    role_arn: arn:aws:iam::{_ACCOUNT}:role/{SECRET}
    external_id: {SECRET}
    session_name: {SECRET}
jobs: {{tags: ["*"], hyperparameters: ["*"], failure_reason_length: 1024}}
polling: {{strategy: search, list_rps: 1000, describe_rps: 1000, search_rps: 1000}}
totals: {{by_tags: [{SECRET}]}}
cloudwatch: {{utilization: [cpu], algorithm_metrics: ["{SECRET}"]}}
"""


async def _told(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, reply: Any, assumes: bool = True
) -> tuple[int, str, list[str]]:
    """Return the exit code, everything that was written, and the operations that were asked."""
    file = folder / "config.yaml"
    file.write_text(_CONFIG)
    async with serving(patch, reply, assumes) as asked:
        code = await asyncio.to_thread(main, ["--log.level=debug", "doctor", "--config.file", str(file)])
    written = capsys.readouterr()
    return code, written.out + written.err, asked


def _nothing_secret(text: str) -> None:
    assert SECRET not in text.lower()
    assert _ACCOUNT not in text
    assert "arn:" not in text
    assert "s3://" not in text


@pytest.mark.parametrize("fill", [ended, secret])
async def test_no_string_of_any_answer_is_told(
    fill: Fill, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    described = answer("SageMaker.DescribeTrainingJob", fill)
    # The proof is worth nothing unless the answer is full of secrets, keys of the user's included.
    assert str(described).count(SECRET) > 60
    assert all(described[name] == {f"{SECRET}-key": described[name][f"{SECRET}-key"]} for name in ("Environment",))
    _, text, asked = await _told(monkeypatch, capsys, tmp_path, lambda target: (200, answer(target, fill)))
    assert {"ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTags", "ListServiceQuotas"} <= set(asked)
    assert {"GetProducts", "GetCallerIdentity", "AssumeRole", "GetMetricData"} <= set(asked)
    _nothing_secret(text)
    # Yet it says what it has seen.
    assert "1 DescribeTrainingJob" in text or "2 DescribeTrainingJob" in text
    assert ("No difference." in text) == (fill is ended)
    assert ("`TrainingJobStatus` has a value that the model lacks" in text) == (fill is secret)


async def test_no_name_that_the_user_gave_is_told_where_the_model_has_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def reply(target: str) -> tuple[int, Mapping[str, object]]:
        found = answer(target, ended)
        new = {f"{SECRET}-key": SECRET, "NewField": {f"{SECRET}-key": SECRET}, "Environment": {SECRET: 1}}
        return 200, {**found, **new}

    _, text, _ = await _told(monkeypatch, capsys, tmp_path, reply)
    _nothing_secret(text)
    assert "DescribeTrainingJob: `NewField` is a field that the model lacks" in text
    assert "DescribeTrainingJob: `Environment{}` is a number, in the model string" in text


@pytest.mark.parametrize("code", ["AccessDeniedException", f"{SECRET}-code", f"arn:aws:iam::{_ACCOUNT}:role", _ACCOUNT])
async def test_no_error_of_aws_is_told_but_its_code(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    error = {"__type": code, "message": f"User: arn:aws:iam::{_ACCOUNT}:user/{SECRET} may not"}
    status, text, _ = await _told(monkeypatch, capsys, tmp_path, lambda _: (400, error))
    assert status == 1
    _nothing_secret(text)
    assert (code if code == "AccessDeniedException" else "UnknownError") in text


async def test_no_role_that_is_denied_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, text, _ = await _told(
        monkeypatch, capsys, tmp_path, lambda target: (200, answer(target, ended)), assumes=False
    )
    assert status == 1
    # The SDK itself would log AWS's message, which names the role.
    _nothing_secret(text)
    assert "target 2 (eu-west-1): AssumeRole: AccessDenied: not allowed" in text


async def test_no_path_or_profile_of_this_machine_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", f"{SECRET}-profile")
    status, text, _ = await _told(monkeypatch, capsys, tmp_path, lambda target: (200, answer(target, ended)))
    assert status == 1
    _nothing_secret(text)
    assert "NoSuchProfile" in text
    assert str(tmp_path) not in text
