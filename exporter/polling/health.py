"""Keeps the health of one target: its last success, and what fails now and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from exporter.polling.api import ApiError, Calls
from exporter.polling.families import TargetHealth
from exporter.process.logs import Log
from exporter.training.job import SECONDARY_STATUSES, STATUSES, WARM_POOL_STATUSES, TrainingJob

_log = Log(__name__)
_NONE: frozenset[str] = frozenset()
# A failing connection recovers with a success of any other activity: only a response shows that AWS is reachable.
CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest failure of an operation with one code: what to do about it, and when it was (Unix seconds)."""

    message: str
    when: float


class Health:
    """The health of one target, updated by its poller.

    An `activity` is a part of polling that fails and recovers by itself: connection, discovery, reading or search. The
    target is up while none of them fails.
    """

    def __init__(self, target: str, calls: Calls, time: Callable[[], float], since: float = 0.0) -> None:
        """Start with unknown health. `time` returns Unix seconds; `since` is when `calls` began to count."""
        self.target, self._time = target, time
        self.calls, self.since = calls, since
        self.last_attempt: float | None = None
        self.last_success: float | None = None
        self.poll_seconds: float | None = None
        self.first_sync: str | None = "not begun"
        self.last_errors: dict[tuple[str, str], LastError] = {}
        self._failing: dict[str, set[str]] = {}
        self._unknown: Counter[str] = Counter()
        self._counts_unknown = True

    @property
    def up(self) -> bool | None:
        """Return whether the target is up; None before the first success or failure."""
        return None if self.last_attempt is None else not self._failing

    def fails(self, activity: str) -> bool:
        """Return whether an activity fails now."""
        return activity in self._failing

    def succeeded(self, activity: str) -> None:
        """Record a success of an activity, and log recoveries."""
        self.last_attempt = self._time()
        for each in (CONNECTION, activity):
            if self._failing.pop(each, None) is not None:
                _log.info("polling recovered", target=self.target, activity=each)
        if not self._failing:
            self.last_success = self.last_attempt

    def settled(self, activity: str) -> None:
        """Clear the failure of an activity that has nothing left to do."""
        self._failing.pop(activity, None)

    def failed(self, activity: str, error: ApiError) -> None:
        """Record a failure of an activity. Each code is logged once until the activity recovers, not at every poll."""
        self.last_attempt = self._time()
        codes = self._failing.setdefault(activity, set())
        if error.code not in codes:
            _log.warning("polling fails", target=self.target, activity=activity, **error.fields)
        codes.add(error.code)
        self.noticed(error)

    def noticed(self, error: ApiError, suffix: str = "") -> None:
        """Record an error without marking the target down. `suffix` is appended to the message, to name the jobs."""
        self.last_errors[error.operation, error.code] = LastError(f"{error.advice}{suffix}", self._time())

    def successor(self) -> Health:
        """Return the health of the same target for an application that takes over after a reload.

        It starts with unknown health but continues the counters. Until `takes_over` both read the same jobs, so only
        this one counts their unknown statuses.
        """
        later = Health(self.target, self.calls, self._time, self.since)
        later._unknown, later._counts_unknown = self._unknown, False
        return later

    def takes_over(self) -> None:
        """Count the unknown statuses of jobs from now on: the earlier application has ended."""
        self._counts_unknown = True

    def look_at(self, job: TrainingJob, before: TrainingJob | None, counted: frozenset[str] = _NONE) -> frozenset[str]:
        """Count the unknown statuses that a job reports and did not report `before`.

        `counted` are those that were counted for this job already. Return all that are counted now.
        """
        earlier = statuses_of(before) if before else _NONE
        new = statuses_of(job) - earlier - KNOWN_STATUSES - counted
        for status in sorted(new) if self._counts_unknown else ():
            if status not in self._unknown:
                _log.warning("unknown status; exporting it as it is", target=self.target, status=status[:100])
            self._unknown[status] += 1
        return counted | new if new else counted

    def snapshot(self, jobs: int) -> TargetHealth:
        """Return a copy for the families; `jobs` is the number of tracked jobs."""
        return TargetHealth(
            self.since,
            up=self.up,
            jobs=jobs,
            last_success=self.last_success,
            poll_seconds=self.poll_seconds,
            requests=dict(self.calls.requests),
            errors=dict(self.calls.errors),
            unknown=dict(self._unknown),
        )


KNOWN_STATUSES = frozenset((*STATUSES, *SECONDARY_STATUSES, *WARM_POOL_STATUSES))


def statuses_of(job: TrainingJob) -> set[str]:
    """Return every status in the record of a job, including those of past transitions."""
    pool = job.warm_pool.status if job.warm_pool else None
    spoken = (job.status, job.secondary_status, pool, *(t.status for t in job.transitions))
    return {status for status in spoken if status}
