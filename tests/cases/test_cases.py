"""Test that real responses of AWS give the expected samples, with both strategies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import Answer, CreatedBetween, JobPage
from exporter.simulator.answers import NOT_IN_SEARCH
from tests.displays import Showing
from tests.e2e.exposed import Exposed
from tests.polling.simulated import HOUR, Clock, Exporter, Settings

FOLDER = Path(__file__).parent
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
BOTH = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
# When the last of the cases was modified. The exporter is first started while they still run.
END = 1795778994.977
START = END - 400
JOB = "sagemaker_training_job_"
_SUMMARY = ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus", "CreationTime")
_TIMES = ("TrainingEndTime", "LastModifiedTime")


def answer(case: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{case}.json").read_text())
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


@dataclass
class Account:
    """Implement the Api of a target with one job, whose operations agree with each other as AWS's do."""

    job: Mapping[str, Any]
    clock: Clock = field(default_factory=lambda: Clock(START))

    def now(self) -> float:
        return self.clock.time()

    def doubts_now(self) -> bool:
        return False

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        return JobPage([{name: self.job[name] for name in (*_SUMMARY, *_TIMES) if name in self.job}], None)

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        indexed = {name: value for name, value in self.job.items() if name not in NOT_IN_SEARCH}
        return JobPage([{**indexed, "Tags": []}], None)

    async def search_active(self, token: str | None) -> JobPage:
        return JobPage([], None)

    async def describe(self, name: str) -> Answer | None:
        return self.job

    async def tags(self, arn: str) -> list[Answer]:
        return []


@asynccontextmanager
async def polled(job: Mapping[str, Any], search: bool) -> AsyncIterator[Exposed]:
    """Return the exposition after the job was read and settled."""
    account: Any = Account(job)
    async with open_ledger("", account.clock.time) as ledger:
        board = Showing(ledger, started=START)
        one = Exporter(account, ledger, Settings(search=search), board)
        await one.live(HOUR / 2)
        text = b"".join([piece async for piece in board.metrics(openmetrics=False, gzip=False)]).decode()
        await one.stop()
    yield Exposed(text)


@BOTH
@pytest.mark.parametrize("case", CASES)
async def test_a_case_is_counted_once_and_no_number_is_nonsense(case: str, search: bool) -> None:
    job = answer(case)
    async with polled(job, search) as shown:
        assert shown.value("sagemaker_training_jobs_created_total") == 1
        assert shown.by("sagemaker_training_jobs_finished_total", "status") == {(job["TrainingJobStatus"],): 1}
        samples = [s for family in shown.families for s in family.samples if s.name.startswith("sagemaker_")]
        assert [s for s in samples if s.value < 0] == []
        labels = [(s.name, tuple(sorted(s.labels.items()))) for s in samples]
        assert len(set(labels)) == len(labels)
        text = str(samples)
    assert not [secret for secret in ("s3://", "arn:aws", "subnet-", "sg-", "Traceback") if secret in text]


def unknown(shown: Exposed) -> dict[tuple[str, ...], float]:
    return shown.by("sagemaker_exporter_unknown_status_total", "status")


def stopped(shown: Exposed) -> dict[tuple[str, ...], float]:
    return shown.by("sagemaker_training_jobs_stopped_total", "cause")


def failure(shown: Exposed) -> dict[tuple[str, ...], float]:
    return shown.by(JOB + "failure_info", "category", "detail", "reason")


@BOTH
async def test_a_wait_that_ended_in_a_status_nobody_knows(search: bool) -> None:
    async with polled(answer("pending-timeout-unknown-secondary"), search) as shown:
        assert unknown(shown) == {("MaxPendingTimeExceeded",): 1}
        assert shown.value(JOB + "duration_seconds_sum", status="Stopped") == pytest.approx(7204)
        assert shown.value(JOB + "duration_seconds_count", status="Stopped") == 1
        assert stopped(shown) == {("max_pending",): 1}
        assert shown.value(JOB + "training_end_timestamp_seconds") is None


@BOTH
@pytest.mark.parametrize("secondary", ["Stopped", "OutOfPatience"])
async def test_a_wait_that_lasted_as_long_as_it_may_is_told_from_a_person(secondary: str, search: bool) -> None:
    case = "pending-timeout-unknown-secondary"
    transitions = [*answer(case)["SecondaryStatusTransitions"][:-1], {"Status": secondary, "StartTime": END}]
    job = answer(case, SecondaryStatus=secondary, SecondaryStatusTransitions=transitions)
    async with polled(job, search) as shown:
        assert stopped(shown) == {("max_pending",): 1}
        assert shown.value(JOB + "duration_seconds_sum", status="Stopped") == pytest.approx(7204)
    async with polled({**job, "StoppingCondition": {"MaxPendingTimeInSeconds": 86400}}, search) as shown:
        assert stopped(shown) == {("user" if secondary == "Stopped" else "other",): 1}


@BOTH
async def test_a_job_that_ran_beyond_its_limit(search: bool) -> None:
    async with polled(answer("max-runtime-4451"), search) as shown:
        assert stopped(shown) == {("max_runtime",): 1}
        assert shown.value(JOB + "max_runtime_seconds") == 603
        assert shown.value(JOB + "training_seconds") == 841
        assert shown.by("sagemaker_training_seconds_total", "spot") == {("false",): 841}
        assert unknown(shown) == {}


@BOTH
async def test_a_job_that_failed_before_it_started(search: bool) -> None:
    async with polled(answer("capacity-error-no-start-2022"), search) as shown:
        assert failure(shown) == {("CapacityError", "capacity", ""): 1}
        for name in ("training_start_timestamp_seconds", "training_end_timestamp_seconds", "training_seconds"):
            assert shown.value(JOB + name) is None
        assert shown.value(JOB + "billable_seconds") is None
        assert shown.value(JOB + "duration_seconds_sum", status="Failed") == pytest.approx(3600.5)
        assert shown.by("sagemaker_training_jobs_failed_total", "category") == {("CapacityError",): 1}
        assert stopped(shown) == {}


@BOTH
async def test_a_serverless_job(search: bool) -> None:
    flags = ("network_isolation", "inter_container_encryption", "vpc", "volume_kms", "output_kms")
    async with polled(answer("serverless-failed-2026"), search) as shown:
        assert shown.by(JOB + "security_info", *flags) == {("false",) * 5: 1}
        about = shown.by(JOB + "info", "serverless_job_type", "customization_technique", "base_model", "instance_type")
        assert about == {("FineTuning", "SFT", "nova-textgeneration-lite-v2", ""): 1}
        assert failure(shown) == {("ClientError", "input", ""): 1}
    inside = {"VpcConfig": {"Subnets": ["subnet-1"]}, "OutputDataConfig": {"KmsKeyId": "alias/key"}}
    async with polled(answer("serverless-failed-2026", **inside, FailureReason=None), search) as shown:
        assert shown.by(JOB + "security_info", *flags) == {("false", "false", "true", "false", "true"): 1}
        assert failure(shown) == {("Other", "other", ""): 1}


@BOTH
async def test_a_job_whose_script_failed(search: bool) -> None:
    async with polled(answer("sdklog-failed-debugger-2021"), search) as shown:
        assert failure(shown) == {("AlgorithmError", "user_code", ""): 1}
        rules = shown.by(JOB + "rule_evaluation_status", "kind", "rule", "status")
        assert {status for *_, status in rules} == {"Stopped"}
        assert sorted(kind for kind, *_ in rules) == ["debugger"] * 4 + ["profiler"]


@BOTH
async def test_a_job_that_was_pending_and_completed(search: bool) -> None:
    async with polled(answer("sdklog-p4d-two-2024"), search) as shown:
        phases = shown.by(JOB + "phase_seconds", "secondary_status")
        assert phases["Pending",] == pytest.approx(401)
        assert phases["Starting",] == pytest.approx(2)
        assert shown.by(JOB + "instances", "instance_type") == {("ml.p4d.24xlarge",): 2}
        # Training and billable time are unknown, so there must be no sample, not even 0.
        assert shown.value(JOB + "billable_seconds") is None
        assert (stopped(shown), failure(shown), unknown(shown)) == ({}, {}, {})
