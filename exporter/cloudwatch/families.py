"""The families that CloudWatch feeds: utilization and algorithm metrics of active jobs, and what was requested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.exposition.family import JOB, TARGET, Family, Group, counted

# What can be asked for, and the name of its metric in CloudWatch.
UTILIZATION_METRICS: Mapping[str, str] = {
    "cpu": "CPUUtilization",
    "memory": "MemoryUtilization",
    "gpu": "GPUUtilization",
    "gpu_memory": "GPUMemoryUtilization",
    "disk": "DiskUtilization",
}
_WHAT = {
    "cpu": "Share of the vCPUs of an instance that was busy",
    "memory": "Share of the memory of an instance that was used",
    "gpu": "Share of the GPUs of an instance that was busy",
    "gpu_memory": "Share of the GPU memory of an instance that was used",
    "disk": "Share of the disk of an instance that was used",
}


@dataclass(frozen=True, slots=True)
class Utilization:
    """The utilization of one job in one minute, which is named by its start (Unix seconds): for each kind of
    UTILIZATION_METRICS the hosts and their ratios."""

    minute: float
    ratios: Mapping[str, tuple[tuple[str, float], ...]]


class Emitted(NamedTuple):
    """The latest value of an algorithm metric, and the start of its minute (Unix seconds)."""

    value: float
    minute: float


AlgorithmMetrics = Mapping[str, Emitted]


@dataclass(frozen=True, slots=True)
class Requested:
    """The number of metrics requested in one target since a time (Unix seconds)."""

    since: float
    metrics: int


def _ratio(kind: str) -> Family[Utilization]:
    return Family(
        f"sagemaker_training_job_{kind}_utilization_ratio",
        "gauge",
        f"{_WHAT[kind]}, 0 to 1 of the whole instance, from CloudWatch.",
        JOB,
        ("host",),
        lambda found: [((host,), ratio) for host, ratio in found.ratios.get(kind, ())],
        policy="cloudwatch",
    )


UTILIZATION: Group[Utilization] = Group(
    "Utilization of active jobs (CloudWatch)",
    (
        *map(_ratio, UTILIZATION_METRICS),
        Family(
            "sagemaker_training_job_utilization_timestamp_seconds",
            "gauge",
            "Unix time of the start of the minute that the utilization ratios of the job describe.",
            JOB,
            (),
            lambda found: [((), found.minute)],
            policy="cloudwatch",
        ),
    ),
    per_job=True,
)

ALGORITHM_METRICS: Group[AlgorithmMetrics] = Group(
    "Algorithm metrics of active jobs (CloudWatch)",
    (
        Family(
            "sagemaker_training_job_algorithm_metric",
            "gauge",
            "Latest value of a metric that the job's MetricDefinitions name, while the job runs; CloudWatch's average "
            "of one minute.",
            JOB,
            ("metric_name",),
            lambda found: [((name,), emitted.value) for name, emitted in found.items()],
            policy="cloudwatch",
        ),
        Family(
            "sagemaker_training_job_algorithm_metric_timestamp_seconds",
            "gauge",
            "Unix time of the start of the minute of that value.",
            JOB,
            ("metric_name",),
            lambda found: [((name,), emitted.minute) for name, emitted in found.items()],
            policy="cloudwatch",
        ),
    ),
    per_job=True,
)

REQUESTED: Group[Requested] = Group(
    "Requests to CloudWatch",
    (
        Family(
            "sagemaker_exporter_cloudwatch_metrics_requested_total",
            "counter",
            "Number of metrics requested with GetMetricData, which is what AWS bills.",
            TARGET,
            (),
            lambda requested: [((), float(requested.metrics))],
            policy="",
        ),
    ),
    lambda family, requested: counted(family, requested, requested.since),
)
