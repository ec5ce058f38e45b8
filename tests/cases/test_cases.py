"""Test that real responses of AWS give the expected samples, with both strategies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE, LIST
from exporter.simulator.answers import NOT_IN_SEARCH
from tests.displays import Showing
from tests.e2e.exposed import Exposed
from tests.polling.simulated import HOUR, Exporter, Settings
from tests.sagemaker import Region
from tests.virtual_time import Time, run

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


class Account(Region):
    """Respond with one job, whose operations agree with each other as AWS's do."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__()
        self._job = job

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation == DESCRIBE:
            return dict(self._job)
        if operation == LIST:
            summary = {name: self._job[name] for name in (*_SUMMARY, *_TIMES) if name in self._job}
            return {"TrainingJobSummaries": [summary]}
        if "TrainingJobStatus" in str(asked["SearchExpression"]):
            return {"Results": []}
        indexed = {name: value for name, value in self._job.items() if name not in NOT_IN_SEARCH}
        return {"Results": [{"TrainingJob": {**indexed, "Tags": []}}]}


def polled(job: Mapping[str, Any], search: bool) -> Exposed:
    """Return the exposition after the job was read and settled."""

    async def scenario() -> str:
        account = Account(job)
        async with open_ledger("", account.clock.time) as ledger:
            board = Showing(ledger, started=START)
            one = Exporter(account, ledger, Settings(search=search), board)
            await one.live(HOUR / 2)
            await one.stop()
            return await board.text()

    return Exposed(run(scenario(), Time(START)))


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_a_case_is_counted_once_and_no_number_is_nonsense(case: str, search: bool) -> None:
    job = answer(case)
    shown = polled(job, search)
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
def test_a_wait_that_ended_in_a_status_nobody_knows(search: bool) -> None:
    shown = polled(answer("pending-timeout-unknown-secondary"), search)
    assert unknown(shown) == {("MaxPendingTimeExceeded",): 1}
    assert shown.value(JOB + "duration_seconds_sum", status="Stopped") == pytest.approx(7204)
    assert shown.value(JOB + "duration_seconds_count", status="Stopped") == 1
    assert stopped(shown) == {("max_pending",): 1}
    assert shown.value(JOB + "training_end_timestamp_seconds") is None


@BOTH
@pytest.mark.parametrize("secondary", ["Stopped", "OutOfPatience"])
def test_a_wait_that_lasted_as_long_as_it_may_is_told_from_a_person(secondary: str, search: bool) -> None:
    case = "pending-timeout-unknown-secondary"
    transitions = [*answer(case)["SecondaryStatusTransitions"][:-1], {"Status": secondary, "StartTime": END}]
    job = answer(case, SecondaryStatus=secondary, SecondaryStatusTransitions=transitions)
    shown = polled(job, search)
    assert stopped(shown) == {("max_pending",): 1}
    assert shown.value(JOB + "duration_seconds_sum", status="Stopped") == pytest.approx(7204)
    shown = polled({**job, "StoppingCondition": {"MaxPendingTimeInSeconds": 86400}}, search)
    assert stopped(shown) == {("user" if secondary == "Stopped" else "other",): 1}


@BOTH
def test_a_job_that_ran_beyond_its_limit(search: bool) -> None:
    shown = polled(answer("max-runtime-4451"), search)
    assert stopped(shown) == {("max_runtime",): 1}
    assert shown.value(JOB + "max_runtime_seconds") == 603
    assert shown.value(JOB + "training_seconds") == 841
    assert shown.by("sagemaker_training_seconds_total", "spot") == {("false",): 841}
    assert unknown(shown) == {}


@BOTH
def test_a_job_that_failed_before_it_started(search: bool) -> None:
    shown = polled(answer("capacity-error-no-start-2022"), search)
    assert failure(shown) == {("CapacityError", "capacity", ""): 1}
    for name in ("training_start_timestamp_seconds", "training_end_timestamp_seconds", "training_seconds"):
        assert shown.value(JOB + name) is None
    assert shown.value(JOB + "billable_seconds") is None
    assert shown.value(JOB + "duration_seconds_sum", status="Failed") == pytest.approx(3600.5)
    assert shown.by("sagemaker_training_jobs_failed_total", "category") == {("CapacityError",): 1}
    assert stopped(shown) == {}


@BOTH
def test_a_serverless_job(search: bool) -> None:
    flags = ("network_isolation", "inter_container_encryption", "vpc", "volume_kms", "output_kms")
    shown = polled(answer("serverless-failed-2026"), search)
    assert shown.by(JOB + "security_info", *flags) == {("false",) * 5: 1}
    about = shown.by(JOB + "info", "serverless_job_type", "customization_technique", "base_model", "instance_type")
    assert about == {("FineTuning", "SFT", "nova-textgeneration-lite-v2", ""): 1}
    assert failure(shown) == {("ClientError", "input", ""): 1}
    inside = {"VpcConfig": {"Subnets": ["subnet-1"]}, "OutputDataConfig": {"KmsKeyId": "alias/key"}}
    shown = polled(answer("serverless-failed-2026", **inside, FailureReason=None), search)
    assert shown.by(JOB + "security_info", *flags) == {("false", "false", "true", "false", "true"): 1}
    assert failure(shown) == {("Other", "other", ""): 1}


@BOTH
def test_a_job_whose_script_failed(search: bool) -> None:
    shown = polled(answer("sdklog-failed-debugger-2021"), search)
    assert failure(shown) == {("AlgorithmError", "user_code", ""): 1}
    rules = shown.by(JOB + "rule_evaluation_status", "kind", "rule", "status")
    assert {status for *_, status in rules} == {"Stopped"}
    assert sorted(kind for kind, *_ in rules) == ["debugger"] * 4 + ["profiler"]


@BOTH
def test_a_job_that_was_pending_and_completed(search: bool) -> None:
    shown = polled(answer("sdklog-p4d-two-2024"), search)
    phases = shown.by(JOB + "phase_seconds", "secondary_status")
    assert phases["Pending",] == pytest.approx(401)
    assert phases["Starting",] == pytest.approx(2)
    assert shown.by(JOB + "instances", "instance_type") == {("ml.p4d.24xlarge",): 2}
    # Training and billable time are unknown, so there must be no sample, not even 0.
    assert shown.value(JOB + "billable_seconds") is None
    assert (stopped(shown), failure(shown), unknown(shown)) == ({}, {}, {})
