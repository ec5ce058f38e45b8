"""Keeps what was read of one target: it outlives pollers and, at a reload, the application."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.cloudwatch.families import Emitted, Utilization


@dataclass(slots=True)
class JobReading:
    """The latest values of one job, and until when they are shown (monotonic clock)."""

    created: float | None
    utilization: Utilization | None = None
    utilization_until: float = 0.0
    algorithm: Mapping[str, Emitted] = field(default_factory=dict)
    algorithm_until: Mapping[str, float] = field(default_factory=dict)

    def expire(self, at: float) -> bool:
        """Drop what is too old; return whether anything was dropped."""
        before = self.utilization, self.algorithm
        if at > self.utilization_until:
            self.utilization = None
        if any(at > self.algorithm_until[name] for name in self.algorithm):
            self.algorithm = {name: value for name, value in self.algorithm.items() if at <= self.algorithm_until[name]}
        return before != (self.utilization, self.algorithm)


@dataclass(slots=True)
class Readings:
    """The readings of one target by job name, when the last read began (monotonic clock), the number of metrics
    requested since `since` (Unix seconds), and whether the last read succeeded, None if there is nothing to tell.

    Two readers may share them during a reload. `version` changes with the readings: it tells each reader that there is
    something new to show.
    """

    since: float
    read: float = -math.inf
    requested: int = 0
    up: bool | None = None
    jobs: dict[str, JobReading] = field(default_factory=dict)
    version: int = 0

    def expire(self, at: float) -> None:
        """Drop the values of all jobs that are too old."""
        dropped = [reading.expire(at) for reading in self.jobs.values()]
        if any(dropped):
            self.version += 1
