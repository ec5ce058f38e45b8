"""Test that `--log.level=debug` logs each call to AWS in one line, and that other levels cost nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import Role, Sessions
from exporter.polling.api import Calls
from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from tests.e2e.exposed import lead_to

ACCOUNT, OTHER, REGION = "123456789012", "210987654321", "us-east-1"
ROLE = Role(f"arn:aws:iam::{OTHER}:role/secret", "SECRET")


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        sim.store.add(OTHER, REGION, *steady(1, time.time() - 600))
        lead_to(sim, monkeypatch)
        yield sim


async def calls_of_a_role() -> None:
    sessions = Sessions(5.0, 50)
    await sessions.account(REGION, None)
    async with sessions.client(SAGEMAKER, REGION, ROLE, Calls()) as client:
        for ask, parameters in (
            (client.describe_training_job, {"TrainingJobName": "steady-000000"}),
            (client.describe_training_job, {"TrainingJobName": "nobody"}),
            (client.list_training_jobs, {}),
        ):
            try:
                await ask(**parameters)
            except client.exceptions.ClientError:
                continue


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record)["fields"] for record in caplog.records if record.name == "exporter.aws.calls"]


async def test_each_call_is_one_line_with_what_it_was_and_came_to(
    sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults = Faults((Fault(Kind.SERVER_ERROR, operation="ListTrainingJobs"),))
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        await calls_of_a_role()
    lines = said(caplog)
    assert [{key: line[key] for key in line if key != "duration_seconds"} for line in lines] == [
        {"operation": "GetCallerIdentity", "target": f"own account/{REGION}", "attempts": 1, "status": 200},
        {"operation": "AssumeRole", "target": f"{OTHER}/{REGION}", "attempts": 1, "status": 200},
        {
            "operation": "DescribeTrainingJob",
            "target": f"{OTHER}/{REGION}",
            "job": "steady-000000",
            "attempts": 1,
            "status": 200,
        },
        {
            "operation": "DescribeTrainingJob",
            "target": f"{OTHER}/{REGION}",
            "job": "nobody",
            "attempts": 1,
            "status": 400,
            "code": "ValidationException",
        },
        {
            "operation": "ListTrainingJobs",
            "target": f"{OTHER}/{REGION}",
            "attempts": 3,
            "status": 500,
            "code": "InternalFailure",
        },
    ]
    assert all(0 <= float(line["duration_seconds"]) < 60 for line in lines)
    own = [vars(record) for record in caplog.records if record.name.startswith("exporter")]
    assert "SECRET" not in str(own)
    assert "role/" not in str(own)


async def test_a_call_that_is_not_answered_is_a_line_too(
    sim: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:1")
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        async with Sessions(5.0, 50).client(SAGEMAKER, REGION, None, Calls()) as client:
            with pytest.raises(Exception, match="Could not connect"):
                await client.list_training_jobs()
    (line,) = said(caplog)
    assert (line["operation"], line["code"], line["attempts"]) == ("ListTrainingJobs", "ConnectionRefused", 3)


async def test_what_the_sdk_asks_by_itself_is_a_line_too(
    sim: Simulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("SECRET")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE.arn)
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        await Sessions(5.0, 50).account(REGION, None)
    assert [line["operation"] for line in said(caplog)] == ["AssumeRoleWithWebIdentity", "GetCallerIdentity"]
    assert "SECRET" not in str(said(caplog))


async def test_without_debug_nothing_is_said(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="exporter"):
        await calls_of_a_role()
    assert said(caplog) == []
