"""From an answer of DescribeTrainingJob, ListTrainingJobs or Search to a TrainingJob; total over whatever comes.

A field that is missing, null, of another type or out of its range is unknown. Only the job's name must be there:
without it, or without a status, there is nothing to say, and `parse` gives None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.exposition.family import Pairs
from exporter.training.failures import failure_detail
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
    failure_category,
    outcome_of,
)
from exporter.training.waiting import waiting_reason

# Beyond these a number is nonsense, and would not fit into the totals' integers of 64 bits.
_INSTANCES_MAX = 2**16
_GIB_MAX = 2**40
_COUNT_MAX = 2**53
# A full answer has some of these, whatever the job is like; a summary of ListTrainingJobs has none. RoleArn and
# OutputDataConfig are what CreateTrainingJob demands. A serverless job has no ResourceConfig.
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
    """What may leave of the parts of an answer that can hold secrets; "*" names every key."""

    tags: frozenset[str] = frozenset()
    hyperparameters: frozenset[str] = frozenset()
    cost_tags: tuple[str, ...] = ()
    failure_reason_length: int = 0

    @property
    def wants_tags(self) -> bool:
        return bool(self.tags or self.cost_tags)


def parse(answer: object, account: str, region: str, allow: Allowlist) -> TrainingJob | None:
    """The record of one job. `account` and `region` are where it was asked for."""
    top = Fields(answer)
    name, status = top.text("TrainingJobName"), top.text("TrainingJobStatus")
    if not name or not status:
        return None
    resources, stopping = top.inside("ResourceConfig"), top.inside("StoppingCondition")
    algorithm, experiment = top.inside("AlgorithmSpecification"), top.inside("ExperimentConfig")
    tags = parse_tags(top.items("Tags"), allow) if "Tags" in top.data else TagsOfJob.unread(allow)
    reason = top.text("FailureReason")
    secondary, transitions = top.text("SecondaryStatus") or None, _transitions(top.items("SecondaryStatusTransitions"))
    outcome = outcome_of(status, secondary, transitions)
    # Only a job that failed has a reason, also where nobody knows its last status.
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
        tuning_job=_last_part(top.text("TuningJobArn")),
        automl_job=_last_part(top.text("AutoMLJobArn")),
        labeling_job=_last_part(top.text("LabelingJobArn")),
        experiment=experiment.text("ExperimentName"),
        trial=experiment.text("TrialName"),
        training_plan=_last_part(resources.text("TrainingPlanArn")),
        network_isolation=top.flag("EnableNetworkIsolation"),
        inter_container_encryption=top.flag("EnableInterContainerTrafficEncryption"),
        vpc=bool(top.inside("VpcConfig").data) if full else None,
        # A serverless job has no volume that could be encrypted.
        volume_kms=bool(resources.text("VolumeKmsKeyId")) if full else None,
        output_kms=bool(top.inside("OutputDataConfig").text("KmsKeyId")) if full else None,
        volume_gib=resources.number("VolumeSizeInGB", most=_GIB_MAX),
        keep_alive_seconds=resources.number("KeepAlivePeriodInSeconds"),
        max_runtime_seconds=stopping.number("MaxRuntimeInSeconds"),
        max_wait_seconds=stopping.number("MaxWaitTimeInSeconds"),
        max_pending_seconds=stopping.number("MaxPendingTimeInSeconds"),
        retry_max_attempts=top.inside("RetryStrategy").number("MaximumRetryAttempts"),
        # A summary tells no reason, which is not the same as another reason than the known ones.
        failure_category=failure_category(reason) if failed and (reason or full) else None,
        failure_detail=failure_detail(reason) if failed else "other",
        failure_reason=reason[: allow.failure_reason_length],
        hyperparameters=_allowed(top.pairs("HyperParameters"), allow.hyperparameters),
        tags=tags.tags,
        cost_tags=tags.cost_tags,
    )


@dataclass(frozen=True, slots=True)
class TagsOfJob:
    """What the allowlist lets through of a job's tags; None where they are wanted and not known yet."""

    tags: Pairs | None
    cost_tags: Pairs | None

    @classmethod
    def unread(cls, allow: Allowlist) -> TagsOfJob:
        return cls(None, None if allow.cost_tags else ())


def parse_tags(items: Iterable[object], allow: Allowlist) -> TagsOfJob:
    """From `Tags` as Search gives them with the job, or as ListTags does apart from it."""
    found = {f.text("Key"): f.text("Value") for f in map(Fields, items) if f.text("Key")}
    # To Prometheus a label that is empty is none: a job without the tag belongs to the series without that label.
    cost_tags = tuple((key, found[key]) for key in allow.cost_tags if found.get(key))
    return TagsOfJob(_allowed(found, allow.tags), cost_tags)


def _instances(resources: Fields) -> tuple[Instances, ...]:
    """What is used and billed: the groups of a heterogeneous cluster, what was selected of the preferences, or
    the one type there is."""
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


def _transitions(items: Iterable[object]) -> tuple[Transition, ...]:
    found = (Fields(item) for item in items)
    return tuple(
        Transition(f.text("Status"), f.number("StartTime"), f.number("EndTime")) for f in found if f.text("Status")
    )


def _waiting(top: Fields, status: str, secondary: str | None) -> str:
    """What the job waits for. A summary has no message, and that of another status says nothing of the current one."""
    last = Fields(next(reversed(top.items("SecondaryStatusTransitions")), None))
    return waiting_reason(status, secondary, last.text("StatusMessage")) if last.text("Status") == secondary else ""


def _final_metrics(items: Iterable[object]) -> tuple[FinalMetric, ...]:
    last: dict[str, FinalMetric] = {}
    for fields in map(Fields, items):
        name, value = fields.text("MetricName"), number(fields.data.get("Value"))
        if name and value is not None:
            last[name] = FinalMetric(name, value, fields.number("Timestamp"))
    return tuple(last.values())


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
    """The name in .../hub-content/HUB/Model/NAME/VERSION, of which the version may be missing."""
    return arn.partition("/Model/")[2].partition("/")[0] or _last_part(arn)


def _allowed(pairs: Mapping[str, str], allow: frozenset[str]) -> Pairs | None:
    """The allowed keys in order; None where no key is allowed at all."""
    return tuple(sorted((k, v) for k, v in pairs.items() if k in allow or "*" in allow)) if allow else None


def _last_part(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
