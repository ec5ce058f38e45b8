"""Test `once` on the simulated API: every series agrees with the API, for the expected number of requests."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.simulator import Fault, Faults, Kind, Life, ManualClock, Plan, Role, Simulator, describe, steady
from exporter.simulator.generator import DEMO_PACE
from tests.e2e.exposed import Exposed, lead_to

ACCOUNT, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1")
JOB = "sagemaker_training_job_"


class Leaping(ManualClock):
    """Skip every sleep: a sleep ends at once, for all tasks."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


# The calls of every run: the caller's identity, the prices of on-demand and spot training, and the quotas.
ALWAYS = {"GetCallerIdentity": 1, "GetProducts": 2, "ListServiceQuotas": 18}


def config(*regions: str, strategy: str = "describe", **sections: Any) -> Config:
    fast = {"list_rps": 1000.0, "describe_rps": 1000.0, "search_rps": 1000.0, "strategy": strategy}
    targets = [{"regions": list(regions or REGIONS)}]
    # Reading quotas takes some seconds.
    return Config.model_validate({"polling": fast, "targets": targets, "quotas": {"interval": "0s"}, **sections})


async def polled(settings: Config) -> tuple[bool, Exposed]:
    async with App.open(settings, SystemClock()) as app:
        well = await app.once()
        return well, Exposed(b"".join([piece async for piece in app.board.metrics(False, False)]).decode())


def visible(sim: Simulator) -> list[Life]:
    now = sim.clock.time()
    return [life for life in sim.store.lives(now) if life.created <= now < life.gone]


def instances(answer: dict[str, Any]) -> dict[tuple[str, ...], float]:
    found = answer.get("ResourceConfig", {})
    if groups := found.get("InstanceGroups"):
        return {(g["InstanceType"], g["InstanceGroupName"]): g["InstanceCount"] for g in groups}
    type_ = found.get("SelectedInstanceType") or found.get("InstanceType")
    number = found.get("SelectedInstanceCount") or found.get("InstanceCount")
    return {(type_, ""): number} if type_ and number else {}


def phases(answer: dict[str, Any]) -> dict[tuple[str, ...], float]:
    spent: dict[tuple[str, ...], float] = defaultdict(float)
    for entry in answer["SecondaryStatusTransitions"]:
        if "EndTime" in entry:
            spent[entry["Status"],] += entry["EndTime"] - entry["StartTime"]
    return {status: round(seconds, 3) for status, seconds in spent.items() if seconds}


def said(metrics: Exposed, life: Life) -> dict[str, object]:
    who = {"aws_account_id": life.account, "aws_region": life.region, "job_name": life.name}
    return {
        "status": metrics.by(JOB + "status", "status", **who),
        "secondary status": metrics.by(JOB + "secondary_status", "secondary_status", **who),
        "created": metrics.value(JOB + "creation_timestamp_seconds", **who),
        "started": metrics.value(JOB + "training_start_timestamp_seconds", **who),
        "ended": metrics.value(JOB + "training_end_timestamp_seconds", **who),
        "training": metrics.value(JOB + "training_seconds", **who),
        "billable": metrics.value(JOB + "billable_seconds", **who),
        "phases": metrics.by(JOB + "phase_seconds", "secondary_status", **who),
        "instances": metrics.by(JOB + "instances", "instance_type", "instance_group", **who),
        "billed": metrics.by(JOB + "billable_instance_seconds", "instance_type", "instance_group", **who),
    }


def true(life: Life, now: float) -> dict[str, object]:
    answer = describe(life, now)
    billable = answer.get("BillableTimeInSeconds")
    return {
        "status": {(answer["TrainingJobStatus"],): 1},
        "secondary status": {(answer["SecondaryStatus"],): 1},
        "created": answer["CreationTime"],
        "started": answer.get("TrainingStartTime"),
        "ended": answer.get("TrainingEndTime"),
        "training": answer.get("TrainingTimeInSeconds"),
        "billable": billable,
        "phases": phases(answer),
        "instances": instances(answer),
        "billed": {key: number * billable for key, number in instances(answer).items()} if billable else {},
    }


@pytest.mark.parametrize("tags", [pytest.param([], marks=pytest.mark.long), ["team"]], ids=["", "tags"])
@pytest.mark.parametrize("strategy", ["describe", "search"])
async def test_every_job_agrees_with_the_api(strategy: str, tags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(jobs=90, pace=DEMO_PACE, strange=True)
    async with Simulator(clock=ManualClock(time.time()), plan=plan, seed=7, regions=REGIONS) as sim:
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config(strategy=strategy, jobs={"tags": tags, "retention": "30d"}))
        lives, now = visible(sim), sim.clock.time()
    assert well
    assert len(lives) > 300
    for life in lives:
        assert said(metrics, life) == true(life, now), life.name
        team = [its.get("tag_team") for its, _ in metrics.rows(JOB + "tags", job_name=life.name)]
        assert team == ([life.tags.get("team")] if tags else []), life.name
    shown = metrics.rows(JOB + "creation_timestamp_seconds")
    assert {(its["aws_region"], its["job_name"]) for its, _ in shown} == {(life.region, life.name) for life in lives}


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Kind.ACCESS_DENIED, "AccessDeniedException"), (Kind.REGION_DISABLED, "UnrecognizedClientException")],
)
async def test_a_denied_region_fails_alone(kind: Kind, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(clock=ManualClock(time.time()), regions=REGIONS) as sim:
        for region in REGIONS:
            sim.store.add(ACCOUNT, region, *steady(3, sim.clock.time() - 600))
        sim.faults = Faults((Fault(kind, region="eu-west-1", operation="ListTrainingJobs"),))
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config())
    assert not well
    assert metrics.by("sagemaker_exporter_target_up", "aws_region") == {("us-east-1",): 1}
    assert metrics.value("sagemaker_exporter_target_up", aws_account_id=ACCOUNT, aws_region="eu-west-1") == 0
    errors = metrics.by("sagemaker_exporter_api_errors_total", "aws_region", "operation", "code")
    assert errors == {("eu-west-1", "ListTrainingJobs", code): 1}
    assert len(metrics.rows(JOB + "creation_timestamp_seconds", aws_region="us-east-1")) == 3


async def test_a_role_that_may_not_be_assumed_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = f"arn:aws:iam::{OTHER}:role/good", "arn:aws:iam::345678901234:role/bad"
    targets = [{"regions": ["us-east-1"], "role_arn": arn} for arn in (good, bad)]
    async with Simulator(clock=ManualClock(time.time()), roles={bad: Role(denied=True)}) as sim:
        sim.store.add(OTHER, "us-east-1", *steady(3, sim.clock.time() - 600))
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config(targets=targets))
    assert not well
    assert {(its["aws_account_id"], up) for its, up in metrics.rows("sagemaker_exporter_target_up")} == {
        (OTHER, 1),
        ("345678901234", 0),
    }
    errors = metrics.by("sagemaker_exporter_api_errors_total", "aws_account_id", "operation", "code")
    assert errors == {("345678901234", "AssumeRole", "AccessDenied"): 1}
    assert len(metrics.rows(JOB + "creation_timestamp_seconds", aws_account_id=OTHER)) == 3


@pytest.mark.parametrize(("number", "pages"), [(1, 1), (100, 1), (250, 3)])
async def test_one_describe_for_each_job_and_one_list_for_a_hundred(
    number: int, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Simulator(clock=ManualClock(time.time())) as sim:
        sim.store.add(ACCOUNT, "us-east-1", *steady(number, sim.clock.time() - 3600))
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config("us-east-1", quotas={}))
    calls = {operation: n for (_, _, operation), n in sim.calls.items()}
    assert well
    assert calls == {**ALWAYS, "ListTrainingJobs": pages, "DescribeTrainingJob": number}
    counted = metrics.by("sagemaker_exporter_api_requests_total", "operation")
    assert counted == {(operation,): n for operation, n in calls.items() if operation != "GetCallerIdentity"}


async def test_a_search_for_a_hundred_jobs_and_no_describe(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(clock=ManualClock(time.time())) as sim:
        sim.store.add(ACCOUNT, "us-east-1", *steady(250, sim.clock.time() - 3600))
        lead_to(sim, monkeypatch)
        well, _ = await polled(config("us-east-1", strategy="search", jobs={"tags": ["team"]}, quotas={}))
    calls = {operation: n for (_, _, operation), n in sim.calls.items()}
    assert well
    assert calls == {**ALWAYS, "ListTrainingJobs": 1, "Search": 3}


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFound"])
async def test_a_job_that_vanishes_between_list_and_describe(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(clock=Leaping(time.time())) as sim:
        now = sim.clock.time()
        sim.store.consistency = replace(sim.store.consistency, missing_code=code)
        stays, goes = steady(2, now - 1000)
        sim.store.add(ACCOUNT, "us-east-1", stays, replace(goes, deleted=now + 20))
        sim.faults = Faults((Fault(Kind.SLOW, operation="DescribeTrainingJob", seconds=60),))
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config("us-east-1"))
    assert well
    assert sim.calls[ACCOUNT, "us-east-1", "DescribeTrainingJob"] == 2
    assert metrics.by("sagemaker_exporter_target_up", "aws_region") == {("us-east-1",): 1}
    assert [its["job_name"] for its, _ in metrics.rows(JOB + "creation_timestamp_seconds")] == [stays.name]
    assert metrics.by("sagemaker_training_jobs", "secondary_status") == {("Training",): 1}


async def test_a_name_that_is_used_again_means_the_new_job(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(clock=Leaping(time.time())) as sim:
        now = round(sim.clock.time(), 3)
        (first,) = steady(1, now - 1000)
        sim.store.add(ACCOUNT, "us-east-1", replace(first, deleted=now + 20), replace(first, created=now + 30))
        sim.faults = Faults((Fault(Kind.SLOW, operation="DescribeTrainingJob", seconds=60),))
        lead_to(sim, monkeypatch)
        well, metrics = await polled(config("us-east-1"))
    assert well
    assert metrics.by(JOB + "creation_timestamp_seconds", "job_name") == {(first.name,): pytest.approx(now + 30)}
    assert metrics.by("sagemaker_training_jobs", "secondary_status") == {("Starting",): 1}
