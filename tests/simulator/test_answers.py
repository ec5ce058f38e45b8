"""Test the response about a job, at every relevant time in the life of every shape of job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator.answers import NOT_IN_SEARCH, describe, search_record, summary
from exporter.simulator.casting import Casting
from exporter.simulator.life import Billing, Group, Life, Phase, Rule, Serverless, WarmPool, stop
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES
from tests.simulator.conformity import members, problems

CREATED = 1_700_000_000.25
TERMINAL = ("Completed", "Failed", "Stopped")


def lives(shape: str, seed: int = 0) -> tuple[Life, ...]:
    return SHAPES[shape](Casting(seeded(seed, shape), CREATED))


def moments(life: Life) -> Iterator[float]:
    """Yield times just before, at and after every event, and in between."""
    events = [span.start for span in life.timeline]
    if life.ending:
        later = (0.0, life.settles_after, *(step.after for step in life.billing))
        pool = (life.pool.appears_after, life.pool.released_after) if life.pool else ()
        events += [life.end + seconds for seconds in (*later, *pool)]
    for event in events:
        yield from (event - 0.01, event, event + 0.01, event + 7.5)
    yield max(events) + 10**6


def answered_moments(life: Life) -> Iterator[float]:
    return (now for now in moments(life) if now >= life.created)


def base(**changes: Any) -> Life:
    life = Life(
        name="job",
        created=1000.0,
        phases=(Phase("Starting", 10), Phase("Training", 100, on_instances=True)),
        groups=(Group("ml.m5.xlarge", 1),),
        spec={"ResourceConfig": {"VolumeSizeInGB": 30}},
    )
    return replace(life, **changes)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"strange"}))
def test_every_answer_conforms_to_the_service_model(shape: str) -> None:
    for seed in range(6):
        for life in lives(shape, seed):
            for now in answered_moments(life):
                assert problems("DescribeTrainingJobResponse", describe(life, now)) == []
                assert problems("TrainingJobSummary", summary(life, now)) == []
                assert problems("TrainingJob", search_record(life, now)) == []


def test_strange_jobs_conform_but_for_their_statuses() -> None:
    found = [
        problem
        for life in lives("strange")
        for now in answered_moments(life)
        for problem in problems("DescribeTrainingJobResponse", describe(life, now))
    ]
    assert any("'Hibernating' is none of" in problem for problem in found)
    assert any("'Suspended' is none of" in problem for problem in found)
    assert all("Status" in problem and "is none of" in problem for problem in found)


def test_search_leaves_out_exactly_what_the_model_has_not() -> None:
    assert members("DescribeTrainingJobResponse") - members("TrainingJob") == set(NOT_IN_SEARCH)


def test_a_real_answer_comes_out_as_it_was() -> None:
    created = 1623637290.633
    life = Life(
        name="tensorflow-training-2021-06-14-02-21-30-008",
        created=created,
        phases=(
            Phase("Starting", 140.163, "Preparing the instances for training"),
            Phase("Downloading", 12.125, "Downloading input data", on_instances=True),
            Phase("Training", 172.51, "Training image download completed. Training in progress.", on_instances=True),
            Phase("Uploading", 8.54, "Uploading generated training model", on_instances=True),
        ),
        spec={"OutputDataConfig": {"S3OutputPath": "s3://bucket-ap-southeast-1/"}},
        region="ap-southeast-1",
        rules=(Rule("profiler", "ProfilerReport-1623637290", "NoIssuesFound"),),
        settles_after=12.9,
    )
    answer = describe(life, created + 10_000)
    name = "tensorflow-training-2021-06-14-02-21-30-008"
    assert answer["TrainingJobArn"] == f"arn:aws:sagemaker:ap-southeast-1:123456789012:training-job/{name}"
    assert answer["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://bucket-ap-southeast-1/{name}/output/model.tar.gz"}
    times = ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")
    assert [answer[time] for time in times] == [created, 1623637430.796, 1623637623.971, 1623637636.871]
    assert (answer["TrainingTimeInSeconds"], answer["BillableTimeInSeconds"]) == (193, 193)
    assert answer["SecondaryStatusTransitions"][2:] == [
        {
            "Status": "Training",
            "StartTime": 1623637442.921,
            "EndTime": 1623637615.431,
            "StatusMessage": "Training image download completed. Training in progress.",
        },
        {
            "Status": "Uploading",
            "StartTime": 1623637615.431,
            "EndTime": 1623637623.971,
            "StatusMessage": "Uploading generated training model",
        },
        {
            "Status": "Completed",
            "StartTime": 1623637623.971,
            "EndTime": 1623637623.971,
            "StatusMessage": "Training job completed",
        },
    ]
    assert answer["ProfilerRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] == "NoIssuesFound"


def test_a_running_job_has_no_end_and_no_seconds() -> None:
    answer = describe(base(), 1050)
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("InProgress", "Training")
    assert answer["TrainingStartTime"] == 1010
    assert not {"TrainingEndTime", "TrainingTimeInSeconds", "BillableTimeInSeconds"} & set(answer)
    assert "EndTime" in answer["SecondaryStatusTransitions"][0]
    assert "EndTime" not in answer["SecondaryStatusTransitions"][-1]


def test_training_seconds_may_show_while_it_runs() -> None:
    assert describe(base(seconds_while_running=True), 1050)["TrainingTimeInSeconds"] == 40


def test_an_early_failure_has_no_start_no_end_and_no_seconds() -> None:
    (life,) = lives("capacity_error")
    answer = describe(life, life.end + 100)
    assert answer["TrainingJobStatus"] == "Failed"
    assert answer["FailureReason"].startswith("CapacityError: ")
    absent = {"TrainingStartTime", "TrainingEndTime", "TrainingTimeInSeconds", "BillableTimeInSeconds"}
    assert not absent & set(answer)


def test_less_than_a_second_of_training_is_no_zero() -> None:
    answer = describe(base(phases=(Phase("Training", 0.9, on_instances=True),)), 2000)
    assert answer["TrainingJobStatus"] == "Completed"
    assert not {"TrainingTimeInSeconds", "BillableTimeInSeconds"} & set(answer)


def test_late_bill_moves_last_modified_or_does_not() -> None:
    life = base(billing=(Billing(600, 0.5), Billing(7200, moves=True)), settles_after=13.0)
    seen = [describe(life, 1110 + after) for after in (599, 600, 7199, 7200)]
    assert [answer.get("BillableTimeInSeconds") for answer in seen] == [None, 50, 50, 100]
    assert [answer["LastModifiedTime"] - 1110 for answer in seen] == [13, 13, 13, 7200]


def test_bill_does_not_come_after_a_deletion() -> None:
    life = base(billing=(Billing(600, moves=True),), deleted=1700.0, deleting_seconds=60)
    answer = describe(life, 1750)
    assert answer["TrainingJobStatus"] == "Deleting"
    assert "BillableTimeInSeconds" not in answer
    assert answer["LastModifiedTime"] < 1700


def test_rule_ends_after_its_job_and_moves_last_modified() -> None:
    life = base(rules=(Rule("debugger", "Overfit", "Stopped", "details", after=265, meanwhile="Stopping"),))
    seen = [describe(life, at) for at in (1050, 1110, 1374, 1375)]
    rules = [answer["DebugRuleEvaluationStatuses"][0] for answer in seen]
    assert [rule["RuleEvaluationStatus"] for rule in rules] == ["InProgress", "Stopping", "Stopping", "Stopped"]
    assert [rule["LastModifiedTime"] for rule in rules] == [1010, 1110, 1110, 1375]
    assert ["StatusDetails" in rule for rule in rules] == [False, False, False, True]
    assert seen[-1]["LastModifiedTime"] == 1375


def test_last_modified_moves_once_more_after_the_end() -> None:
    life = base(settles_after=13.5)
    assert [describe(life, 1110 + after)["LastModifiedTime"] for after in (-50, 0, 13.4, 13.5, 10**6)] == [
        1010,
        1110,
        1110,
        1123.5,
        1123.5,
    ]


def test_billing_comes_late_and_is_corrected_upwards() -> None:
    life = base(billable_ratio=0.5, billing=(Billing(5, 0.8), Billing(60, 1.0)))
    billed = [describe(life, 1110 + after).get("BillableTimeInSeconds") for after in (0, 5, 59, 60)]
    assert billed == [None, 40, 40, 50]


def test_a_pool_shows_grows_and_ends() -> None:
    life = base(pool=WarmPool(released_after=30, appears_after=4))
    seen = [describe(life, 1110 + after).get("WarmPoolStatus") for after in (-105, -50, 1, 5, 20, 30, 99)]
    assert seen == [
        None,
        {"Status": "InUse"},
        None,
        {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 5},
        {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 20},
        {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 30},
        {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 30},
    ]


def test_a_reused_pool_names_the_job_that_took_it() -> None:
    first, second = lives("pool_reused")
    assert first.pool
    answer = describe(first, first.end + first.pool.released_after)
    assert answer["WarmPoolStatus"]["ReusedByJob"] == second.name
    assert answer["WarmPoolStatus"]["Status"] == "Reused"
    assert second.created == pytest.approx(first.end + first.pool.released_after, abs=0.002)
    assert second.phases[0].seconds < first.phases[0].seconds


def test_a_pool_that_never_comes() -> None:
    life = base(pool=WarmPool(0, shows=False))
    assert describe(life, 1050)["WarmPoolStatus"] == {"Status": "InUse"}
    assert "WarmPoolStatus" not in describe(life, 9999)


def test_what_was_selected_shows_once_there_are_instances() -> None:
    (life,) = lives("preferences")
    before, after = describe(life, life.created)["ResourceConfig"], describe(life, life.end)["ResourceConfig"]
    assert not {"SelectedInstanceType", "InstanceType"} & set(before)
    assert after["SelectedInstanceType"] == life.groups[0].instance_type
    assert after["SelectedInstanceCount"] == life.groups[0].count


def test_numbers_that_are_none_are_strings_on_the_wire() -> None:
    (life,) = lives("many_metrics")
    metrics = describe(life, life.end)["FinalMetricDataList"]
    assert len(metrics) == 40
    assert {entry["Value"] for entry in metrics if isinstance(entry["Value"], str)} == {"NaN", "Infinity", "-Infinity"}
    assert "FinalMetricDataList" not in describe(life, life.end - 1)


def test_progress_of_a_serverless_job() -> None:
    work = Serverless(steps_per_epoch=10, max_epoch=2, tokens=77, output_model_package="arn:package")
    life = base(serverless=work)

    def progress(now: float) -> tuple[int, int]:
        info = describe(life, now)["ProgressInfo"]
        assert (info["TotalStepCountPerEpoch"], info["MaxEpoch"]) == (10, 2)
        return info["CurrentEpoch"], info["CurrentStep"]

    assert "ProgressInfo" not in describe(life, 1005)
    assert [progress(now) for now in (1010, 1035, 1060, 1085, 1110)] == [(0, 0), (0, 5), (1, 0), (1, 5), (1, 10)]
    assert "BillableTokenCount" not in describe(life, 1109)
    assert describe(life, 1110)["BillableTokenCount"] == 77
    assert describe(life, 1110)["OutputModelPackageArn"] == "arn:package"


def test_deleting_shows_until_it_is_gone() -> None:
    life = base(deleted=2000, deleting_seconds=10)
    assert [describe(life, now)["TrainingJobStatus"] for now in (1999, 2000)] == ["Completed", "Deleting"]
    assert life.gone == 2010


def test_the_message_of_a_phase_changes_while_it_lasts() -> None:
    steps = ((0.1, "Starting the training job"), (0.4, "Launching requested ML instances"))
    phase = Phase("Starting", 100, "Preparing the instances for training", earlier=steps)
    life = Life(name="j", created=1000.0, phases=(phase, Phase("Training", 50, "Training in progress.", True)))

    def messages(one: Life, at: float) -> list[str]:
        return [entry["StatusMessage"] for entry in describe(one, 1000.0 + at)["SecondaryStatusTransitions"]]

    assert [messages(life, at) for at in (0, 9.9, 10, 39.9)] == [[steps[0][1]]] * 2 + [[steps[1][1]]] * 2
    assert messages(life, 99) == [phase.message]
    assert messages(life, 101) == [phase.message, "Training in progress."]
    # A stop does not change earlier responses.
    stopped = stop(life, 1020.0)
    for at in (5, 15, 19):
        assert messages(stopped, at) == messages(life, at)
    assert messages(stopped, 21)[0] == steps[1][1]
