"""Measure prometheus_client's generate_latest on the same samples, and the floor of any exposition."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from benchmarks import gauges, samples
from benchmarks.children import ACCOUNT, REGION
from exporter.exposition.family import LabelValues
from exporter.exposition.text import KEY, labelled
from exporter.training.families import JOBS, JobView
from exporter.training.job import TrainingJob
from exporter.training.parsing import parse

_TIMES = 3
# Its output is about as large as ours. prometheus_client itself compresses at 9, which takes several times as long.
_LEVEL = 3


class _Families(Collector):
    """Return all families of these jobs, created beforehand: only the rendering is measured."""

    def __init__(self, jobs: list[TrainingJob]) -> None:
        self._families = [GaugeMetricFamily(family.name, family.help) for family in JOBS.families]
        for family, shown in zip(JOBS.families, self._families, strict=True):
            for job in jobs:
                base = dict(zip(family.base, (job.account, job.region, job.name), strict=True))
                for values, value in family.rows(JobView(job)):
                    shown.add_sample(family.name, base | _labels(family.labels, values), value)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def _labels(names: tuple[str, ...], values: LabelValues) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in zip(names, values, strict=True):
        found |= {name: value} if isinstance(value, str) else dict(labelled(name.removesuffix(KEY), value))
    return found


def run(pipe: Connection, path: str) -> None:
    """Send the CPU seconds of generate_latest, of joining its lines, and of compressing them with zlib."""
    parsed = (parse(answer, ACCOUNT, REGION, samples.ALLOW) for answer in samples.now(Path(path)))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([job for job in parsed if job is not None]))
    text = generate_latest(registry)
    lines = text.splitlines(keepends=True)
    pipe.send(
        {
            "generate": _cpu(lambda: generate_latest(registry)),
            "join": _cpu(lambda: b"".join(lines)),
            "zlib": _cpu(lambda: zlib.compress(text, _LEVEL)),
            "samples": sum(not line.startswith(b"#") for line in lines),
            "bytes": len(text),
            "memory": gauges.resident(),
        }
    )


def _cpu(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(_TIMES):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return median(seconds)
