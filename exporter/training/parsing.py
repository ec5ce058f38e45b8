"""Parse a response of DescribeTrainingJob, ListTrainingJobs or Search into a TrainingJob. Never raises.

A field that is missing, null, of another type or out of range is unknown. Only the name and the status are required;
without them `parse` returns None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.exposition.family import Pairs
from exporter.training.failures import failure_category, failure_detail
from exporter.training.fields import Fields, number
from exporter.training.job import (
    NO_PROGRESS,
    NO_SERVERLESS,
    FinalMetric,
    Instances,
    Progress,
    Rule,
    Serverless,
    TrainingJob,
    Transition,
    WarmPool,
    outcome_of,
)
from exporter.training.waiting import waiting_reason

# Larger numbers are invalid. The bounds also keep sums within the 64-bit integers that totals are stored as.
_INSTANCES_MAX = 2**16
_GIB_MAX = 2**40
_COUNT_MAX = 2**53
# Every full description has at least one of these fields, and a summary of ListTrainingJobs has none: this tells "not
# configured" from "not in this response". CreateTrainingJob requires RoleArn and OutputDataConfig. A serverless job has
# no ResourceConfig.
_FULL_ONLY = frozenset(
    {
        "RoleArn",
        "OutputDataConfig",
        "StoppingCondition",
        "ModelArtifacts",
        "InputDataConfig",
        "AlgorithmSpecification",
        "ResourceConfig",
        "ServerlessJobConfig",
        "VpcConfig",
    }
)


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Say which parts of the fields that can hold secrets are kept; "*" allows every key.

    `failure_reason_length` is the number of characters of a FailureReason or a StatusMessage that are kept, 0 for none.
    """

    tags: frozenset[str] = frozenset()
    hyperparameters: frozenset[str] = frozenset()
    cost_tags: tuple[str, ...] = ()
    failure_reason_length: int = 0

    @property
    def wants_tags(self) -> bool:
        return bool(self.tags or self.cost_tags)


def parse(answer: object, account: str, region: str, allow: Allowlist) -> TrainingJob | None:
    """Return the record of one job, None if `answer` has no name or status. `account` and `region` are the target's."""
    top = Fields(answer)
    name, status = top.text("TrainingJobName"), top.text("TrainingJobStatus")
    if not name or not status:
        return None
    resources, stopping = top.inside("ResourceConfig"), top.inside("StoppingCondition")
    algorithm, experiment = top.inside("AlgorithmSpecification"), top.inside("ExperimentConfig")
    tags = parse_tags(top.items("Tags"), allow) if "Tags" in top.data else TagsOfJob.unread(allow)
    reason = top.text("FailureReason")
    secondary, transitions = top.text("SecondaryStatus") or None, _transitions(top, allow)
    outcome = outcome_of(status, secondary, transitions)
    # Only failed jobs have a FailureReason, so a reason identifies one even if its final status is hidden by Deleting.
    failed = outcome == "Failed" or (status == "Deleting" and outcome is None and bool(reason))
    full = not _FULL_ONLY.isdisjoint(top.data)
    return TrainingJob(
        account=account,
        region=region,
        name=name,
        arn=top.text("TrainingJobArn"),
        status=status,
        secondary_status=secondary,
        waiting=_waiting(top, status, secondary),
        created=top.number("CreationTime"),
        started=top.number("TrainingStartTime"),
        ended=top.number("TrainingEndTime"),
        modified=top.number("LastModifiedTime"),
        training_seconds=top.number("TrainingTimeInSeconds"),
        billable_seconds=top.number("BillableTimeInSeconds"),
        billable_tokens=top.number("BillableTokenCount", most=_COUNT_MAX),
        spot=top.flag("EnableManagedSpotTraining"),
        instances=_instances(resources),
        transitions=transitions,
        final_metrics=_final_metrics(top.items("FinalMetricDataList")),
        warm_pool=_warm_pool(top.inside("WarmPoolStatus")),
        rules=_rules(top),
        progress=_progress(top.inside("ProgressInfo")),
        serverless=_serverless(top.inside("ServerlessJobConfig")),
        training_image=algorithm.text("TrainingImage"),
        algorithm_name=_last_part(algorithm.text("AlgorithmName")),
        input_mode=algorithm.text("TrainingInputMode"),
        metric_names=_metric_names(algorithm.items("MetricDefinitions")),
        tuning_job=_last_part(top.text("TuningJobArn")),
        automl_job=_last_part(top.text("AutoMLJobArn")),
        labeling_job=_last_part(top.text("LabelingJobArn")),
        experiment=experiment.text("ExperimentName"),
        trial=experiment.text("TrialName"),
        training_plan=_last_part(resources.text("TrainingPlanArn")),
        network_isolation=top.flag("EnableNetworkIsolation"),
        inter_container_encryption=top.flag("EnableInterContainerTrafficEncryption"),
        vpc=bool(top.inside("VpcConfig").data) if full else None,
        # "false" also for a serverless job, which has no volume that could be encrypted.
        volume_kms=bool(resources.text("VolumeKmsKeyId")) if full else None,
        output_kms=bool(top.inside("OutputDataConfig").text("KmsKeyId")) if full else None,
        volume_gib=resources.number("VolumeSizeInGB", most=_GIB_MAX),
        keep_alive_seconds=resources.number("KeepAlivePeriodInSeconds"),
        max_runtime_seconds=stopping.number("MaxRuntimeInSeconds"),
        max_wait_seconds=stopping.number("MaxWaitTimeInSeconds"),
        max_pending_seconds=stopping.number("MaxPendingTimeInSeconds"),
        retry_max_attempts=top.inside("RetryStrategy").number("MaximumRetryAttempts"),
        # A summary has no FailureReason. The category is then unknown, not "Other".
        failure_category=failure_category(reason) if failed and (reason or full) else None,
        failure_detail=failure_detail(reason) if failed else "other",
        failure_reason=reason[: allow.failure_reason_length],
        hyperparameters=_allowed(top.pairs("HyperParameters"), allow.hyperparameters),
        tags=tags.tags,
        cost_tags=tags.cost_tags,
    )


@dataclass(frozen=True, slots=True)
class TagsOfJob:
    """Hold the tags of a job that the allowlist allows; None if they are wanted but not known yet."""

    tags: Pairs | None
    cost_tags: Pairs | None

    @classmethod
    def unread(cls, allow: Allowlist) -> TagsOfJob:
        """Return the tags of a job whose tags have not been read yet."""
        return cls(None, None if allow.cost_tags else ())


def parse_tags(items: Iterable[object], allow: Allowlist) -> TagsOfJob:
    """Return the allowed tags from `Tags` as Search returns them with the job, or as ListTags returns them."""
    found = {f.text("Key"): f.text("Value") for f in map(Fields, items) if f.text("Key")}
    # To Prometheus an empty label is no label: a job with an empty tag belongs to the series without that label.
    cost_tags = tuple((key, found[key]) for key in allow.cost_tags if found.get(key))
    return TagsOfJob(_allowed(found, allow.tags), cost_tags)


def _instances(resources: Fields) -> tuple[Instances, ...]:
    """Return the instances that are used and billed: the InstanceGroups of a heterogeneous cluster, the selected one of
    the InstancePreferences, or the single InstanceType."""
    selected = resources.text("SelectedInstanceType")
    if groups := resources.items("InstanceGroups"):
        found = [_instances_of(Fields(g), "Instance", Fields(g).text("InstanceGroupName")) for g in groups]
    elif selected:
        found = [_instances_of(resources, "SelectedInstance", "")]
    else:
        found = [_instances_of(resources, "Instance", "")]
    counts: dict[tuple[str, str], int] = {}
    for item in found:
        if item is not None:
            counts[item.type, item.group] = counts.get((item.type, item.group), 0) + item.number
    return tuple(Instances(type_, group, count) for (type_, group), count in counts.items())


def _instances_of(fields: Fields, prefix: str, group: str) -> Instances | None:
    type_, count = fields.text(f"{prefix}Type"), fields.number(f"{prefix}Count", _INSTANCES_MAX)
    return Instances(type_, group, int(count)) if type_ and count is not None else None


def _transitions(top: Fields, allow: Allowlist) -> tuple[Transition, ...]:
    found, length = map(Fields, top.items("SecondaryStatusTransitions")), allow.failure_reason_length
    return tuple(
        Transition(status, f.number("StartTime"), f.number("EndTime"), f.text("StatusMessage")[:length])
        for f in found
        if (status := f.text("Status"))
    )


def _waiting(top: Fields, status: str, secondary: str | None) -> str:
    """Return what the job is waiting for, "" if unknown. Only the message of the current status is used: an older one
    may no longer be true."""
    last = Fields(next(reversed(top.items("SecondaryStatusTransitions")), None))
    return waiting_reason(status, secondary, last.text("StatusMessage")) if last.text("Status") == secondary else ""


def _final_metrics(items: Iterable[object]) -> tuple[FinalMetric, ...]:
    # A name can come twice; Prometheus would reject a second sample of the same series, so the last one wins.
    last: dict[str, FinalMetric] = {}
    for fields in map(Fields, items):
        name, value = fields.text("MetricName"), number(fields.data.get("Value"))
        if name and value is not None:
            last[name] = FinalMetric(name, value, fields.number("Timestamp"))
    return tuple(last.values())


def _metric_names(items: Iterable[object]) -> tuple[str, ...]:
    """Return the names of the job's metrics, each once; the regular expressions that find them in the log are not
    kept."""
    return tuple(dict.fromkeys(name for item in items if (name := Fields(item).text("Name"))))


def _warm_pool(fields: Fields) -> WarmPool | None:
    if not fields.data:
        return None
    retained = fields.number("ResourceRetainedBillableTimeInSeconds")
    return WarmPool(fields.text("Status") or None, retained, fields.text("ReusedByJob") or None)


def _rules(top: Fields) -> tuple[Rule, ...]:
    kinds = (("debugger", "DebugRuleEvaluationStatuses"), ("profiler", "ProfilerRuleEvaluationStatuses"))
    found = {}
    for kind, key in kinds:
        for fields in map(Fields, top.items(key)):
            name, status = fields.text("RuleConfigurationName"), fields.text("RuleEvaluationStatus")
            if name and status:
                found[kind, name] = Rule(kind, name, status)
    return tuple(found.values())


def _progress(fields: Fields) -> Progress:
    if not fields.data:
        return NO_PROGRESS
    return Progress(
        epoch=fields.number("CurrentEpoch", _COUNT_MAX),
        max_epoch=fields.number("MaxEpoch", _COUNT_MAX),
        step=fields.number("CurrentStep", _COUNT_MAX),
        steps_per_epoch=fields.number("TotalStepCountPerEpoch", _COUNT_MAX),
    )


def _serverless(fields: Fields) -> Serverless:
    if not fields.data:
        return NO_SERVERLESS
    return Serverless(
        fields.text("JobType"), fields.text("CustomizationTechnique"), _model_name(fields.text("BaseModelArn"))
    )


def _model_name(arn: str) -> str:
    """Return NAME from an ARN ending in /hub-content/HUB/Model/NAME/VERSION, where the version may be missing."""
    return arn.partition("/Model/")[2].partition("/")[0] or _last_part(arn)


def _allowed(pairs: Mapping[str, str], allow: frozenset[str]) -> Pairs | None:
    """Return the allowed pairs sorted by key; None if no key is allowed at all."""
    return tuple(sorted((k, v) for k, v in pairs.items() if k in allow or "*" in allow)) if allow else None


def _last_part(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
