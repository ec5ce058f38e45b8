"""Build the responses about a job in wire format: timestamps are floats in Unix seconds, other values plain JSON."""

from __future__ import annotations

import math
from typing import Any

from exporter.simulator.life import Life, Rule
from exporter.simulator.moment import Moment, moment

Wire = dict[str, Any]

# Fields of DescribeTrainingJob that the TrainingJob of Search lacks.
NOT_IN_SEARCH = (
    "BillableTokenCount",
    "InfraCheckConfig",
    "MlflowConfig",
    "MlflowDetails",
    "ProfilerRuleConfigurations",
    "ProfilerRuleEvaluationStatuses",
    "ProfilingStatus",
    "ProgressInfo",
    "RemoteDebugConfig",
    "ServerlessJobConfig",
)


def describe(life: Life, now: float) -> Wire:
    """Return the response of DescribeTrainingJob at `now` (Unix seconds)."""
    at = moment(life, now)
    answer: Wire = {
        "TrainingJobName": life.name,
        "TrainingJobArn": life.arn,
        **life.spec,
        "ModelArtifacts": {"S3ModelArtifacts": _artifacts(life)},
        "TrainingJobStatus": at.status,
        "SecondaryStatus": at.secondary_status,
        "CreationTime": round(life.created, 3),
        "LastModifiedTime": at.last_modified,
        "SecondaryStatusTransitions": _transitions(at),
    }
    _add_times(answer, at)
    _add_outcome(answer, at)
    _add_pool(answer, at)
    _add_selected(answer, at)
    _add_rules(answer, at)
    _add_serverless(answer, at)
    return answer


def summary(life: Life, now: float) -> Wire:
    """Return the job's TrainingJobSummary in a ListTrainingJobs response."""
    at = moment(life, now)
    answer: Wire = {
        "TrainingJobName": life.name,
        "TrainingJobArn": life.arn,
        "CreationTime": round(life.created, 3),
        "LastModifiedTime": at.last_modified,
        "TrainingJobStatus": at.status,
        "SecondaryStatus": at.secondary_status,
    }
    if at.training_end is not None:
        answer["TrainingEndTime"] = at.training_end
    if plan := life.spec.get("ResourceConfig", {}).get("TrainingPlanArn"):
        answer["TrainingPlanArn"] = plan
    _add_pool(answer, at)
    return answer


def search_record(life: Life, now: float, lag: float = 0.0) -> Wire:
    """Return the TrainingJob of a Search result, as of `lag` seconds before `now`."""
    record = describe(life, now - lag)
    for name in NOT_IN_SEARCH:
        record.pop(name, None)
    record["Tags"] = tag_list(life)
    return record


def tag_list(life: Life) -> list[Wire]:
    """Return the job's tags in the format of ListTags."""
    return [{"Key": key, "Value": value} for key, value in life.tags.items()]


def _artifacts(life: Life) -> str:
    path = life.spec.get("OutputDataConfig", {}).get("S3OutputPath", "s3://models/")
    return f"{path.rstrip('/')}/{life.name}/output/model.tar.gz"


def _transitions(at: Moment) -> list[Wire]:
    entries = []
    for span in at.begun:
        entry: Wire = {"Status": span.phase.status, "StartTime": span.start}
        if span.end <= at.now:
            entry["EndTime"] = span.end
        entry["StatusMessage"] = span.phase.message_after(min(span.end, at.now) - span.start)
        entries.append(entry)
    if at.ended and at.life.ending:
        ending = at.life.ending
        entries.append(
            {
                "Status": ending.secondary_status,
                "StartTime": at.end,
                "EndTime": at.end,
                "StatusMessage": ending.message,
            }
        )
    return entries


def _add_times(answer: Wire, at: Moment) -> None:
    if at.training_start is not None:
        answer["TrainingStartTime"] = at.training_start
    if at.training_end is not None:
        answer["TrainingEndTime"] = at.training_end
    seconds = at.training_seconds
    if seconds and (at.ended or at.life.seconds_while_running):
        answer["TrainingTimeInSeconds"] = seconds
    if seconds and at.ended and (billable := _billable_seconds(at, seconds)):
        answer["BillableTimeInSeconds"] = billable


def _billable_seconds(at: Moment, seconds: int) -> int | None:
    # A deleted job is no longer updated: a bill that is due after the deletion never appears.
    now = min(at.now, at.life.deleted)
    reported = [step.share for step in at.life.billing if round(at.end + step.after, 3) <= now]
    if at.life.billable_ratio is None or not reported:
        return None
    final = max(1, int(seconds * at.life.billable_ratio))
    return max(1, int(final * reported[-1]))


def _add_outcome(answer: Wire, at: Moment) -> None:
    if not at.ended or not at.life.ending:
        return
    if at.life.ending.failure_reason:
        answer["FailureReason"] = at.life.ending.failure_reason
    if at.life.metrics:
        answer["FinalMetricDataList"] = [
            {
                "MetricName": metric.name,
                "Value": _number(metric.value),
                "Timestamp": round(at.end - metric.age, 3),
            }
            for metric in at.life.metrics
        ]


def _number(value: float) -> float | str:
    """Return a number as the AWS JSON protocol writes it: JSON has no NaN or infinity, so they are strings."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _add_pool(answer: Wire, at: Moment) -> None:
    pool = at.life.pool
    if pool is None or at.training_start is None:
        return
    if not at.ended:
        answer["WarmPoolStatus"] = {"Status": "InUse"}
        return
    if not pool.shows or at.now < round(at.end + pool.appears_after, 3):
        return
    released = round(at.end + pool.released_after, 3)
    retained = int(round(min(at.now, released) - at.end, 3))
    status = "Available" if at.now < released else "Reused" if pool.reused_by else "Terminated"
    answer["WarmPoolStatus"] = {"Status": status, "ResourceRetainedBillableTimeInSeconds": retained}
    if status == "Reused":
        answer["WarmPoolStatus"]["ReusedByJob"] = pool.reused_by


def _add_selected(answer: Wire, at: Moment) -> None:
    if at.life.selected and at.training_start is not None:
        group = at.life.groups[0]
        answer["ResourceConfig"] = {
            **answer["ResourceConfig"],
            "SelectedInstanceType": group.instance_type,
            "SelectedInstanceCount": group.count,
        }


def _add_rules(answer: Wire, at: Moment) -> None:
    start = at.training_start
    if start is None:
        return
    for kind, name in (("debugger", "DebugRule"), ("profiler", "ProfilerRule")):
        entries = [_rule(at, rule, start) for rule in at.life.rules if rule.kind == kind]
        if entries:
            answer[f"{name}EvaluationStatuses"] = entries


def _rule(at: Moment, rule: Rule, start: float) -> Wire:
    over = round(at.end + rule.after, 3)
    done = over <= min(at.now, at.life.deleted)
    entry: Wire = {
        "RuleConfigurationName": rule.name,
        "RuleEvaluationJobArn": (
            f"arn:aws:sagemaker:{at.life.region}:{at.life.account}:processing-job/{at.life.name[:40]}-rule"
        ),
        "RuleEvaluationStatus": rule.verdict if done else rule.meanwhile if at.ended else "InProgress",
        "LastModifiedTime": over if done else at.end if at.ended else start,
    }
    if done and rule.details:
        entry["StatusDetails"] = rule.details
    return entry


def _add_serverless(answer: Wire, at: Moment) -> None:
    serverless = at.life.serverless
    if serverless is None or at.training_start is None:
        return
    steps = serverless.steps_per_epoch * serverless.max_epoch
    done = math.floor(steps * _progress(at))
    epoch, step = divmod(done, serverless.steps_per_epoch)
    if epoch == serverless.max_epoch:
        epoch, step = epoch - 1, serverless.steps_per_epoch
    answer["ProgressInfo"] = {
        "TotalStepCountPerEpoch": serverless.steps_per_epoch,
        "CurrentStep": step,
        "CurrentEpoch": epoch,
        "MaxEpoch": serverless.max_epoch,
    }
    if at.ended:
        answer["BillableTokenCount"] = serverless.tokens
        if serverless.output_model_package and at.status == "Completed":
            answer["OutputModelPackageArn"] = serverless.output_model_package


def _progress(at: Moment) -> float:
    """Return the share of the training that is done, 0 to 1."""
    training = [span for span in at.life.timeline if span.phase.status == "Training"]
    planned = sum(span.end - span.start for span in training)
    spent = sum(min(span.end, at.now) - span.start for span in training if span.start <= at.now)
    return min(1.0, spent / planned) if planned else 0.0
