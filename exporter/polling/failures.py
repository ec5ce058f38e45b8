"""Remembers which jobs of a target failed lately: longer than ended jobs are tracked, for the status page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob

_DAY = 86400.0
# The number of failures from which old ones are dropped.
_MANY = 1000


class Failure(NamedTuple):
    """A job that failed, when (Unix seconds), and its failure category, None as long as only a listing has it."""

    job: Identity
    at: float
    category: str | None


class RecentFailures:
    """The failures of the last day, or of the `lookback` (seconds) if that is shorter: no older job is listed after a
    start. `now` returns AWS's time in Unix seconds."""

    def __init__(self, now: Callable[[], float], lookback: float) -> None:
        self._now, self.span = now, min(_DAY, lookback)
        # By name, which a second job may have after a deletion.
        self._found: dict[str, tuple[Failure, ...]] = {}
        self._most = _MANY

    def note(self, job: TrainingJob) -> None:
        """Remember a job if it has failed lately."""
        at = job.over_since
        if at is None or job.outcome != "Failed" or at < self._now() - self.span:
            return
        identity, category, others = job.identity, job.failure_category, []
        for each in self._found.get(job.name, ()):
            if each.job.is_same(identity):
                category = category or each.category
            else:
                others.append(each)
        self._found[job.name] = (*others, Failure(identity, at, category))
        if len(self._found) > self._most:
            since = self._now() - self.span
            self._found = {name: each for name, each in self._found.items() if any(f.at >= since for f in each)}
            self._most = max(_MANY, 2 * len(self._found))

    def unexplained(self) -> list[Identity]:
        """Return the jobs whose failure category is not known."""
        return [each.job for each in self.lately() if each.category is None]

    def explain(self, recorded: Mapping[Identity, Facts]) -> None:
        """Take the failure categories from what an earlier run recorded of these jobs."""
        for name in {job.name for job in recorded} & self._found.keys():
            self._found[name] = tuple(
                each._replace(category=recorded[each.job].failure_category) if each.job in recorded else each
                for each in self._found[name]
            )

    def lately(self) -> list[Failure]:
        """Return the failures within the span; in any thread."""
        since = self._now() - self.span
        return [each for found in list(self._found.values()) for each in found if each.at >= since]
