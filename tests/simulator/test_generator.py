"""Test generated fleets: reproducible by seed, about as many jobs as planned, and every shape."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from exporter.simulator.answers import describe
from exporter.simulator.casting import USUAL_SECONDS
from exporter.simulator.generator import DEMO_PACE, Fleet, Plan, fleets, steady
from exporter.simulator.life import Life
from exporter.simulator.shapes import SHAPES
from exporter.training.deadline import LIMITS, deadlines
from exporter.training.parsing import Allowlist, parse
from exporter.training.waiting import WAITING_REASONS
from tests.simulator.conformity import problems

START = 1_700_000_000.0
ACCOUNT, REGION = "123456789012", "us-east-1"


def grown(plan: Plan, seed: int = 0, seconds: float = 0) -> list[Life]:
    return list(Fleet(plan, seed, START, ACCOUNT, REGION).until(START + seconds))


def active(lives: list[Life], now: float) -> int:
    return sum(life.created <= now < life.end for life in lives)


def test_the_same_seed_gives_the_same_jobs_however_they_are_asked_for() -> None:
    fleet = Fleet(Plan(), 7, START, ACCOUNT, REGION)
    piecemeal = [life for seconds in range(0, 3601, 60) for life in fleet.until(START + seconds)]
    assert piecemeal == grown(Plan(), 7, 3600)
    assert piecemeal != grown(Plan(), 8, 3600)


@pytest.mark.parametrize("jobs", [10, 40, 200])
def test_about_as_many_are_active_as_were_planned(jobs: int) -> None:
    lives = grown(Plan(jobs=jobs), seconds=4 * 3600)
    counts = [active(lives, START + hour * 3600) for hour in range(5)]
    assert 0.7 * jobs < sum(counts) / len(counts) < 1.4 * jobs


def test_the_usual_duration_is_the_mean() -> None:
    lives = grown(Plan(jobs=500))
    assert sum(life.end - life.created for life in lives) / len(lives) == pytest.approx(USUAL_SECONDS, rel=0.1)


def test_names_are_unique_and_allowed() -> None:
    names = [life.name for life in grown(Plan(jobs=300))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name) for name in names)


def test_jobs_of_a_demo_live_for_minutes() -> None:
    lasts = sorted(life.end - life.created for life in grown(Plan(pace=DEMO_PACE)))
    assert lasts[len(lasts) // 10] > 20
    assert lasts[-len(lasts) // 10] < 360


def test_a_fleet_of_one_has_seen_every_shape() -> None:
    assert len(grown(Plan(jobs=1, pace=DEMO_PACE))) > len(SHAPES)


def test_short_lives_conform_too() -> None:
    for life in grown(Plan(jobs=40, pace=DEMO_PACE)):
        for now in (life.created, (life.created + life.end) / 2, life.end + 3600):
            assert problems("DescribeTrainingJobResponse", describe(life, now)) == []


def test_unknown_statuses_only_come_if_asked_for() -> None:
    assert not any("strange" in life.name for life in grown(Plan()))
    assert any("strange" in life.name for life in grown(Plan(strange=True)))


def test_history_can_be_none_at_all() -> None:
    assert grown(Plan(history=0)) == []
    assert grown(Plan(history=0), seconds=3600) != []


@pytest.mark.parametrize("seed", range(3))
def test_a_demo_shows_everything_within_a_minute(seed: int) -> None:
    lives = grown(Plan(pace=DEMO_PACE), seed, 60)
    answers = [
        describe(life, START + seconds)
        for seconds in range(0, 61, 5)
        for life in lives
        if life.created <= START + seconds
    ]

    def seen(*path: str) -> Counter[Any]:
        return Counter(found for answer in answers for found in _dig(answer, path))

    assert {"InProgress", "Completed", "Failed", "Stopping", "Stopped"} <= set(seen("TrainingJobStatus"))
    secondary = {"Starting", "Downloading", "Training", "Uploading", "Interrupted", "Stopping"}
    endings = {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
    assert secondary | endings <= set(seen("SecondaryStatus"))
    assert set(seen("WarmPoolStatus", "Status")) == {"InUse", "Available", "Reused", "Terminated"}
    assert {"InProgress", "IssuesFound", "NoIssuesFound"} <= set(
        seen("DebugRuleEvaluationStatuses", "RuleEvaluationStatus")
    ) | set(seen("ProfilerRuleEvaluationStatuses", "RuleEvaluationStatus"))
    for path in (
        ("ProgressInfo", "CurrentStep"),
        ("ProgressInfo", "MaxEpoch"),
        ("BillableTokenCount",),
        ("StoppingCondition", "MaxPendingTimeInSeconds"),
        ("StoppingCondition", "MaxWaitTimeInSeconds"),
        ("RetryStrategy", "MaximumRetryAttempts"),
        ("ResourceConfig", "KeepAlivePeriodInSeconds"),
        ("ResourceConfig", "SelectedInstanceType"),
        ("ResourceConfig", "TrainingPlanArn"),
        ("ResourceConfig", "InstanceGroups", "InstanceGroupName"),
        ("FinalMetricDataList", "MetricName"),
        ("WarmPoolStatus", "ReusedByJob"),
        ("FailureReason",),
        ("TuningJobArn",),
        ("AutoMLJobArn",),
        ("LabelingJobArn",),
        ("ExperimentConfig", "TrialName"),
        ("AlgorithmSpecification", "AlgorithmName"),
    ):
        assert seen(*path), path
    prefixes = {reason.partition(":")[0] for reason in seen("FailureReason")}
    assert {"AlgorithmError", "ClientError", "InternalServerError", "CapacityError"} <= prefixes


def _dig(value: Any, path: tuple[str, ...]) -> list[Any]:
    if isinstance(value, list):
        return [found for member in value for found in _dig(member, path)]
    if not path:
        return [value]
    return _dig(value[path[0]], path[1:]) if path[0] in value else []


def test_homes_share_the_plan_and_others_get_nothing() -> None:
    of = fleets(Plan(jobs=40), 0, START, [(ACCOUNT, REGION), (ACCOUNT, "eu-west-1")])
    fleet = of(ACCOUNT, REGION)
    assert fleet
    assert 10 < active(list(fleet.until(START)), START) < 32
    assert of(ACCOUNT, "ap-south-1") is None
    assert fleets(None, 0, START, [(ACCOUNT, REGION)])(ACCOUNT, REGION) is None
    assert fleets(Plan(jobs=0), 0, START, [(ACCOUNT, REGION)])(ACCOUNT, REGION) is None


def test_steady_jobs_go_on_or_last_as_long_as_asked() -> None:
    lives = list(steady(3, START))
    assert [life.name for life in lives] == ["steady-000000", "steady-000001", "steady-000002"]
    assert describe(lives[0], START + 10**9)["SecondaryStatus"] == "Training"
    assert problems("DescribeTrainingJobResponse", describe(lives[0], START + 500)) == []
    (life,) = steady(1, START, "short", seconds=60)
    assert life.end == START + 150


@pytest.mark.slow
def test_a_demo_shows_each_reason_to_wait_and_each_limit_within_minutes() -> None:
    lives = grown(Plan(pace=DEMO_PACE), seconds=600)
    moments = [START + seconds for seconds in range(0, 600, 2)]
    seen = [
        parse(describe(life, now), life.account, life.region, Allowlist())
        for now in moments
        for life in lives
        if life.created <= now < life.end
    ]
    jobs = [job for job in seen if job is not None]
    assert {job.waiting for job in jobs} == {"", *WAITING_REASONS}
    assert {limit for job in jobs for limit in deadlines(job)} == set(LIMITS)
