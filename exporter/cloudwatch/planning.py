"""Decides which metrics are requested: those of the active jobs, by names that follow from the job alone.

A host is named "<job>/algo-<n>", n from 1 to the number of instances, so nothing has to be listed. What could not be
shown is not requested, because AWS bills each metric: no GPU metrics of instances without GPUs, and no ratio of an
instance type whose hardware is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.cloudwatch.api import HOST, JOB_NAME, Metric
from exporter.cloudwatch.families import UTILIZATION_METRICS
from exporter.prices.book import Hardware
from exporter.training.holding import holding
from exporter.training.job import TrainingJob

HardwareOf = Callable[[str], Hardware]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted: kinds of UTILIZATION_METRICS, and names of algorithm metrics with * and ? as wildcards."""

    kinds: tuple[str, ...] = ()
    algorithm_metrics: tuple[str, ...] = ()

    def names(self, job: TrainingJob) -> tuple[str, ...]:
        """Return the job's algorithm metrics that are wanted."""
        if not self.algorithm_metrics:
            return ()
        return tuple(
            name for name in job.metric_names if any(fnmatchcase(name, glob) for glob in self.algorithm_metrics)
        )


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What is requested of one job: these kinds of each host, and these algorithm metrics. `unknown` are its instance
    types whose hardware a wanted ratio needs and nobody knows."""

    job: TrainingJob
    kinds: tuple[str, ...]
    hosts: tuple[str, ...]
    names: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of requested metrics."""
        return len(self.kinds) * len(self.hosts) + len(self.names)

    def metrics(self) -> Iterator[Metric]:
        """Return every requested metric."""
        for kind in self.kinds:
            for host in self.hosts:
                yield self.of_host(kind, host)
        yield from map(self.of_job, self.names)

    def of_host(self, kind: str, host: str) -> Metric:
        return Metric(UTILIZATION_METRICS[kind], HOST, f"{self.job.name}/{host}")

    def of_job(self, name: str) -> Metric:
        return Metric(name, JOB_NAME, self.job.name)


def is_active(job: TrainingJob) -> bool:
    """Return whether a job runs on instances now."""
    return not job.terminal and bool(holding(job).instances)


def capacity(kind: str, hardware: Hardware) -> int | None:
    """Return how many hundred percent the metric of a kind can reach on one instance: its vCPUs or GPUs, or 1 for a
    metric of the whole instance. 0: the metric does not exist there; None: unknown."""
    if kind == "cpu":
        return hardware.vcpus
    return hardware.gpus if kind in ("gpu", "gpu_memory") else 1


def plan(job: TrainingJob, selection: Selection, hardware_of: HardwareOf) -> JobPlan:
    """Return what is requested of an active job."""
    found = {instances.type: hardware_of(instances.type) for instances in job.instances}
    kinds = tuple(kind for kind in selection.kinds if any(capacity(kind, each) for each in found.values()))
    unknown = tuple(
        type_ for type_, each in found.items() if any(capacity(kind, each) is None for kind in selection.kinds)
    )
    hosts = tuple(f"algo-{number}" for number in range(1, sum(i.number for i in job.instances) + 1)) if kinds else ()
    return JobPlan(job, kinds, hosts, selection.names(job), unknown)


def fitting(plans: Iterable[JobPlan], most: int) -> tuple[Sequence[JobPlan], Sequence[JobPlan]]:
    """Return the plans that `most` metrics are enough for, and those that are left out.

    Older jobs come first, and a job is read as a whole or not at all: a job that starts takes nothing from another.
    """
    kept, left_out = [], []
    for each in sorted(plans, key=lambda each: (each.job.created or 0.0, each.job.name)):
        if each.size <= most:
            most -= each.size
            kept.append(each)
        else:
            left_out.append(each)
    return kept, left_out
