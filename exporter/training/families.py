"""Define the families of a single job, `sagemaker_training_job_*`. All of them are gauges or infos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from exporter.exposition.family import JOB, Family, Group, Kind, Pairs, Row, single, state_set
from exporter.exposition.labels import NO_KEYS, KeyNames
from exporter.training import bill, info
from exporter.training.cost import Rates
from exporter.training.deadline import deadlines
from exporter.training.job import STATUSES, WARM_POOL_STATUSES, TrainingJob

_GIB = 2**30
_INSTANCES = ("instance_type", "instance_group")


@dataclass(frozen=True, slots=True)
class JobContext:
    """Hold what the rows need besides the job: the label names of its tags and hyperparameters."""

    tags: KeyNames = NO_KEYS
    hyperparameters: KeyNames = NO_KEYS


_NO_CONTEXT = JobContext()


@dataclass(frozen=True, slots=True)
class JobView:
    """Hold what the families of a job are rendered from. `rates` are the prices the ledger recorded for the job."""

    job: TrainingJob
    context: JobContext = _NO_CONTEXT
    rates: Rates = field(default_factory=dict)


def _of_view(
    name: str, help_: str, labels: tuple[str, ...], rows: Callable[[JobView], Iterable[Row]], policy: str = "describe"
) -> Family[JobView]:
    kind: Kind = "info" if name.endswith("info") else "gauge"
    return Family(f"sagemaker_training_job_{name}", kind, help_, JOB, labels, rows, policy=policy)


def _family(
    name: str, help_: str, labels: tuple[str, ...], rows: Callable[[TrainingJob], Iterable[Row]]
) -> Family[JobView]:
    return _of_view(name, help_, labels, lambda view: rows(view.job))


def _value(name: str, help_: str, value: Callable[[TrainingJob], float | None]) -> Family[JobView]:
    return _family(name, help_, (), lambda job: single(value(job)))


def _pairs(pairs: Pairs | None, names: KeyNames) -> Iterable[Row]:
    return () if pairs is None else [((names.renamed(pairs),), 1.0)]


def _secondary_status(job: TrainingJob) -> Iterable[Row]:
    return [((job.secondary_status,), 1.0)] if job.secondary_status else []


def _spot_savings(job: TrainingJob) -> float | None:
    if not job.spot or not job.training_seconds or job.billable_seconds is None:
        return None
    return 1 - job.billable_seconds / job.training_seconds


def _instances(job: TrainingJob) -> Iterable[Row]:
    return [((i.type, i.group), float(i.number)) for i in job.instances]


def _instance_seconds(seconds: float | None, job: TrainingJob) -> Iterable[Row]:
    return [] if seconds is None else [((i.type, i.group), seconds * i.number) for i in job.instances]


def _phase_seconds(job: TrainingJob) -> Iterable[Row]:
    total: dict[str, float] = {}
    for transition in job.transitions:
        if transition.seconds is not None:
            total[transition.status] = round(total.get(transition.status, 0.0) + transition.seconds, 3)
    return [((status,), seconds) for status, seconds in total.items()]


def _transitions(job: TrainingJob) -> Iterable[Row]:
    return [((status,), float(n)) for status, n in Counter(t.status for t in job.transitions).items()]


def _retained(job: TrainingJob) -> float | None:
    return job.warm_pool.retained_seconds if job.warm_pool else None


def _warm_pool_status(job: TrainingJob) -> Iterable[Row]:
    return state_set(job.warm_pool.status if job.warm_pool else None, WARM_POOL_STATUSES)


def _metric_times(job: TrainingJob) -> Iterable[Row]:
    return [((m.name,), m.timestamp) for m in job.final_metrics if m.timestamp is not None]


_FAMILIES: tuple[Family[JobView], ...] = (
    _family(
        "info",
        "Information about the job, always 1. The instance types of a heterogeneous cluster are joined by commas.",
        (
            "instance_type",
            "training_image",
            "algorithm_name",
            "input_mode",
            "spot",
            "tuning_job",
            "automl_job",
            "labeling_job",
            "experiment",
            "trial",
            "training_plan",
            "serverless_job_type",
            "customization_technique",
            "base_model",
        ),
        info.of_job,
    ),
    _of_view(
        "tags",
        "Tags of the job that jobs.tags allows, always 1.",
        ("tag_KEY",),
        lambda view: _pairs(view.job.tags, view.context.tags),
        policy="tags",
    ),
    _of_view(
        "hyperparameters",
        "Hyperparameters of the job that jobs.hyperparameters allows, always 1.",
        ("hyperparameter_KEY",),
        lambda view: _pairs(view.job.hyperparameters, view.context.hyperparameters),
    ),
    _family(
        "security_info",
        "Network isolation and encryption settings of the job, always 1.",
        ("network_isolation", "inter_container_encryption", "vpc", "volume_kms", "output_kms"),
        info.security,
    ),
    _family(
        "status",
        "TrainingJobStatus: 1 for the current status, 0 for the other known ones.",
        ("status",),
        lambda job: state_set(job.status, STATUSES),
    ),
    _family("secondary_status", "SecondaryStatus: 1 for the current status.", ("secondary_status",), _secondary_status),
    _value(
        "secondary_status_start_timestamp_seconds",
        "Unix time at which the current secondary status began.",
        lambda job: job.secondary_status_since,
    ),
    _family(
        "waiting_info",
        "What a job that is not training yet is waiting for, from its StatusMessage, always 1.",
        ("reason",),
        info.waiting,
    ),
    _value("creation_timestamp_seconds", "CreationTime in Unix time.", lambda job: job.created),
    _value("training_start_timestamp_seconds", "TrainingStartTime in Unix time.", lambda job: job.started),
    _value("training_end_timestamp_seconds", "TrainingEndTime in Unix time.", lambda job: job.ended),
    _value("last_modified_timestamp_seconds", "LastModifiedTime in Unix time.", lambda job: job.modified),
    _value("training_seconds", "TrainingTimeInSeconds: time the job trained.", lambda job: job.training_seconds),
    _value(
        "billable_seconds",
        "BillableTimeInSeconds, per instance. The spot discount is already included.",
        lambda job: job.billable_seconds,
    ),
    _family(
        "billable_instance_seconds",
        "Billed compute: BillableTimeInSeconds multiplied by the number of instances.",
        _INSTANCES,
        lambda job: _instance_seconds(job.billable_seconds, job),
    ),
    _of_view(
        "cost",
        "Cost of the compute billed for the job so far, in the currency of the price list.",
        (*_INSTANCES, "usage", "currency"),
        lambda view: bill.cost(view.job, view.rates),
        policy="prices",
    ),
    _of_view(
        "cost_per_hour",
        "Cost per hour of the instances that the job holds now.",
        ("currency",),
        lambda view: bill.cost_per_hour(view.job, view.rates),
        policy="prices",
    ),
    _value(
        "spot_savings_ratio",
        "Share of the cost that spot saved: 1 - billable / training seconds.",
        _spot_savings,
    ),
    _family("instances", "Number of instances of the job.", _INSTANCES, _instances),
    _value(
        "volume_size_bytes",
        "VolumeSizeInGB in bytes: storage volume of each instance.",
        lambda job: None if job.volume_gib is None else job.volume_gib * _GIB,
    ),
    _value(
        "max_runtime_seconds", "MaxRuntimeInSeconds of the stopping condition.", lambda job: job.max_runtime_seconds
    ),
    _value("max_wait_seconds", "MaxWaitTimeInSeconds of a spot job.", lambda job: job.max_wait_seconds),
    _value(
        "max_pending_seconds",
        "MaxPendingTimeInSeconds: the wait for capacity.",
        lambda job: job.max_pending_seconds,
    ),
    _family(
        "deadline_timestamp_seconds",
        "Unix time at which a limit that is running now stops the job.",
        ("limit",),
        lambda job: [((limit,), time) for limit, time in deadlines(job).items()],
    ),
    _value(
        "warm_pool_keep_alive_seconds",
        "KeepAlivePeriodInSeconds: how long the instances may be kept in a warm pool after the job.",
        lambda job: job.keep_alive_seconds,
    ),
    _value("retry_max_attempts", "MaximumRetryAttempts of the retry strategy.", lambda job: job.retry_max_attempts),
    _family(
        "phase_seconds",
        "Time spent in a secondary status, over all finished transitions.",
        ("secondary_status",),
        _phase_seconds,
    ),
    _family(
        "secondary_status_transitions",
        "Number of times a secondary status was entered.",
        ("secondary_status",),
        _transitions,
    ),
    _family(
        "final_metric",
        "FinalMetricDataList: last value of a metric that the algorithm emitted.",
        ("metric_name",),
        lambda job: [((m.name,), m.value) for m in job.final_metrics],
    ),
    _family(
        "final_metric_timestamp_seconds",
        "Unix time at which that value was emitted.",
        ("metric_name",),
        _metric_times,
    ),
    _family(
        "warm_pool_status",
        "Status of the job's warm pool: 1 for the current status, 0 for the other known ones.",
        ("status",),
        _warm_pool_status,
    ),
    _value(
        "warm_pool_retained_billable_seconds",
        "ResourceRetainedBillableTimeInSeconds: billed time of the warm pool, per instance.",
        _retained,
    ),
    _family(
        "warm_pool_retained_billable_instance_seconds",
        "Billed time of the warm pool multiplied by its number of instances.",
        _INSTANCES,
        lambda job: _instance_seconds(_retained(job), job),
    ),
    _family("warm_pool_reused_by_info", "Job that reused the warm pool, always 1.", ("reused_by_job",), info.reused_by),
    _family(
        "failure_info",
        "Why the job failed, always 1. The reason is empty unless jobs.failure_reason_length allows it.",
        ("category", "detail", "reason"),
        info.failure,
    ),
    _family(
        "rule_evaluation_status",
        "RuleEvaluationStatus of a debugger or profiler rule, always 1.",
        ("kind", "rule", "status"),
        lambda job: [((r.kind, r.name, r.status), 1.0) for r in job.rules],
    ),
    _value("progress_epoch", "CurrentEpoch of a serverless job.", lambda job: job.progress.epoch),
    _value("progress_max_epoch", "MaxEpoch of a serverless job.", lambda job: job.progress.max_epoch),
    _value("progress_step", "CurrentStep within the epoch of a serverless job.", lambda job: job.progress.step),
    _value(
        "progress_steps_per_epoch",
        "TotalStepCountPerEpoch of a serverless job.",
        lambda job: job.progress.steps_per_epoch,
    ),
    _value("billable_tokens", "BillableTokenCount of a serverless job.", lambda job: job.billable_tokens),
)

JOBS: Group[JobView] = Group("Each job", _FAMILIES, per_job=True)
