"""Computes the utilization of a job from the answers of CloudWatch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from exporter.cloudwatch.api import MINUTE, Metric, Series
from exporter.cloudwatch.families import Emitted, Utilization
from exporter.cloudwatch.planning import HardwareOf, JobPlan, capacity
from exporter.prices.book import Hardware

# A host may report this many minutes later than another of its job; one that is later has no ratio.
_LATE = 2
_GPU_KINDS = ("gpu", "gpu_memory")
_NOTHING = Series(())

Answers = Mapping[Metric, Series]
# By kind and host.
_Points = Mapping[tuple[str, str], tuple[tuple[float, float], ...]]


def utilization(plan: JobPlan, answers: Answers, hardware_of: HardwareOf) -> Utilization | None:
    """Return the ratios of a job in the newest minute that most of its hosts have reported; None if there are none."""
    points = {
        (kind, host): series.points
        for kind in plan.kinds
        for host in plan.hosts
        if (series := answers.get(plan.of_host(kind, host), _NOTHING)).points
    }
    minute = _minute(points)
    if minute is None:
        return None
    percent = {key: value for key, found in points.items() if (value := _at(found, minute)) is not None}
    hosts = _Hosts(plan, percent.keys(), hardware_of)
    ratios: dict[str, tuple[tuple[str, float], ...]] = {}
    for kind in plan.kinds:
        found = ((host, hosts.capacity(kind, host)) for host in plan.hosts if (kind, host) in percent)
        if rows := tuple((host, percent[kind, host] / (100 * most)) for host, most in found if most):
            ratios[kind] = rows
    return Utilization(minute, ratios) if ratios else None


def latest(plan: JobPlan, answers: Answers) -> dict[str, Emitted]:
    """Return the newest value of each algorithm metric that has one."""
    found = {}
    for name in plan.names:
        if points := answers.get(plan.of_job(name), _NOTHING).points:
            minute, value = points[0]
            found[name] = Emitted(value, minute)
    return found


class _Hosts:
    """What is known of the hosts of a job. In a heterogeneous cluster nothing says which host is of which group, but
    hosts that report GPU metrics have GPUs; and when as many report as there are instances with GPUs, the others have
    none."""

    def __init__(self, plan: JobPlan, reported: Iterable[tuple[str, str]], hardware_of: HardwareOf) -> None:
        found = [(hardware_of(i.type), i.number) for i in plan.job.instances]
        self._all = {hardware for hardware, _ in found}
        self._gpu_hosts: set[str] = set()
        # Almost every job has instances of one kind only.
        if len(self._all) > 1:
            self._gpu_hosts = {host for kind, host in reported if kind in _GPU_KINDS}
        self._all_report = len(self._gpu_hosts) == sum(number for hardware, number in found if hardware.gpus != 0)

    def capacity(self, kind: str, host: str) -> int | None:
        """Return the capacity of a host; None if its possible instance types differ in it."""
        found = {capacity(kind, hardware) for hardware in self._possible(host)}
        return found.pop() if len(found) == 1 else None

    def _possible(self, host: str) -> Iterable[Hardware]:
        if host in self._gpu_hosts:
            return [hardware for hardware in self._all if hardware.gpus != 0]
        if self._gpu_hosts and self._all_report:
            return [hardware for hardware in self._all if hardware.gpus == 0]
        return self._all


def _minute(points: _Points) -> float | None:
    """Return the minute, of the newest ones, that most series have; of several the newest."""
    if not points:
        return None
    newest = max(found[0][0] for found in points.values())
    oldest = newest - _LATE * MINUTE
    reported = Counter(time for found in points.values() for time, _ in found[: _LATE + 1] if time >= oldest)
    return max(reported, key=lambda time: (reported[time], time))


def _at(points: Iterable[tuple[float, float]], minute: float) -> float | None:
    return next((value for time, value in points if time == minute), None)
