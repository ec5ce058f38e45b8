"""CloudWatch's GetMetricData, for the metrics of training jobs: utilization by host, and algorithm metrics.

Everything follows from the name of the job: a quarter of the jobs leave their GPUs idle, some fill their memory or
their disk, in some one host reports a minute late, and a fifth of the loss curves diverge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from exporter.simulator.errors import ApiError
from exporter.simulator.life import Life
from exporter.simulator.rng import seeded
from exporter.simulator.store import Jobs

Wire = dict[str, Any]

OPERATION = "GetMetricData"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
MOST_QUERIES = 500
_MINUTE = 60
# vCPUs and GPUs: CloudWatch counts in percent of one of them.
HARDWARE: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "ml.m5.xlarge": (4, 0),
        "ml.c5.2xlarge": (8, 0),
        "ml.c5n.18xlarge": (72, 0),
        "ml.g4dn.xlarge": (4, 1),
        "ml.g5.2xlarge": (8, 1),
        "ml.g5.12xlarge": (48, 4),
        "ml.p3.2xlarge": (8, 1),
        "ml.p4d.24xlarge": (96, 8),
        "ml.trn1.2xlarge": (8, 0),
    }
)
_UTILIZATION = ("CPUUtilization", "MemoryUtilization", "GPUUtilization", "GPUMemoryUtilization", "DiskUtilization")


def get_metric_data(request: Wire, jobs: Jobs, now: float) -> Wire:
    """Return the response. Raises ApiError."""
    queries, start, end = request.get("MetricDataQueries"), request.get("StartTime"), request.get("EndTime")
    if not isinstance(queries, list) or not 1 <= len(queries) <= MOST_QUERIES:
        raise ApiError("ValidationError", f"The collection MetricDataQueries must have 1 to {MOST_QUERIES} entries.")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or start >= end:
        raise ApiError("ValidationError", "The parameter EndTime must be greater than StartTime.")
    return {"MetricDataResults": [_result(query, jobs, start, end, now) for query in queries], "Messages": []}


def _result(query: Wire, jobs: Jobs, start: float, end: float, now: float) -> Wire:
    stat = query["MetricStat"]
    metric = stat["Metric"]
    points: list[tuple[int, float]] = []
    if (metric["Namespace"], stat["Period"], stat["Stat"]) == (NAMESPACE, _MINUTE, "Average"):
        ((name, value),) = ((each["Name"], each["Value"]) for each in metric["Dimensions"])
        points = list(_points(metric["MetricName"], name, value, jobs, start, end, now))
    points.reverse()
    times, values = [time for time, _ in points], [value for _, value in points]
    return {
        "Id": query["Id"],
        "Label": metric["MetricName"],
        "Timestamps": times,
        "Values": values,
        "StatusCode": "Complete",
    }


def _points(
    metric: str, dimension: str, value: str, jobs: Jobs, start: float, end: float, now: float
) -> Iterator[tuple[int, float]]:
    """Yield the points in [start, end) that have been published, oldest first."""
    name, _, host = value.partition("/")
    life = jobs.find(name, now)
    if life is None or (dimension == "Host") != bool(host):
        return
    published = now - _MINUTE * (1 + (late_by(life, host) if host else 0))
    for minute in _minutes(life, start, min(end, published + 1)):
        found = _of_host(life, metric, host, minute) if host else _of_algorithm(life, metric, minute)
        if found is not None:
            yield minute, round(found, 4)


def _minutes(life: Life, start: float, end: float) -> Iterator[int]:
    """Yield the minutes in which the job was on instances, at least for a moment."""
    spans = [(span.start, span.end) for span in life.timeline if span.phase.on_instances]
    for minute in range(math.ceil(start / _MINUTE) * _MINUTE, math.ceil(end), _MINUTE):
        if minute < end and any(began < minute + _MINUTE and ended > minute for began, ended in spans):
            yield minute


def hosts(life: Life) -> dict[str, str]:
    """Return the instance type of each host. The last group has the first hosts: nothing promises another order."""
    types = [group.instance_type for group in reversed(life.groups) for _ in range(group.count)]
    return {f"algo-{number}": type_ for number, type_ in enumerate(types, 1)}


def late_by(life: Life, host: str) -> int:
    """Return how many minutes later than others a host reports."""
    number = sum(group.count for group in life.groups)
    return int(number > 1 and host == f"algo-{number}" and seeded("late", life.name).random() < 0.25)


def leaves_gpus_idle(life: Life) -> bool:
    """Return whether the job makes no use of its GPUs."""
    return seeded("idle", life.name).random() < 0.25


def diverges(life: Life) -> bool:
    """Return whether the loss of the job grows in the second half."""
    return seeded("diverges", life.name).random() < 0.2


def _of_host(life: Life, metric: str, host: str, minute: int) -> float | None:
    vcpus, gpus = HARDWARE.get(hosts(life).get(host, ""), (0, 0))
    if not vcpus or metric not in _UTILIZATION or (metric.startswith("GPU") and not gpus):
        return None
    noise = seeded(metric, life.name, host, minute).uniform(0.9, 1.1)
    usual = seeded(metric, life.name).uniform(0.3, 0.85)
    if metric == "CPUUtilization":
        return 100 * vcpus * min(1.0, usual * noise)
    if metric.startswith("GPU"):
        busy = 0.01 if leaves_gpus_idle(life) else usual
        return 100 * gpus * min(1.0, busy * noise)
    full = seeded("full", metric, life.name).random() < 0.15
    return 97.0 if full else 100 * min(1.0, usual * noise)


def _of_algorithm(life: Life, metric: str, minute: int) -> float | None:
    defined = {each["Name"] for each in life.spec.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())}
    training = [span for span in life.timeline if span.phase.status == "Training" and span.start < minute + _MINUTE]
    if metric not in defined or not training:
        return None
    began, planned = training[0].start, max(1.0, training[-1].phase.seconds or 3600.0)
    done = max(0.0, minute + _MINUTE - began) / planned
    noise = seeded(metric, life.name, minute).uniform(0.97, 1.03)
    if "loss" not in metric:
        return (1 - 0.9 * math.exp(-3 * done)) * noise
    grows = math.exp(min(20.0, 8 * (done - 0.5))) if diverges(life) and done > 0.5 else 0.0
    return (2.5 * math.exp(-4 * done) + 0.05 + grows) * noise
