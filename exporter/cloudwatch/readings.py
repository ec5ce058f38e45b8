"""Keeps what was read of one target: it outlives pollers and, at a reload, the application."""

from __future__ import annotations

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
    algorithm_until: float = 0.0

    def expire(self, at: float) -> bool:
        """Drop what is too old; return whether that was anything."""
        before = self.utilization, self.algorithm
        if at > self.utilization_until:
            self.utilization = None
        if at > self.algorithm_until:
            self.algorithm = {}
        return before != (self.utilization, self.algorithm)


@dataclass(slots=True)
class Readings:
    """The readings of one target by job name, when the next read is due (monotonic clock), the number of metrics
    requested since `since` (Unix seconds), and whether the last read succeeded, None before the first.

    Two readers may share them during a reload: `version` tells each of them what the other one has read.
    """

    since: float
    due: float = 0.0
    requested: int = 0
    up: bool | None = None
    jobs: dict[str, JobReading] = field(default_factory=dict)
    version: int = 0
