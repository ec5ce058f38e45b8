"""How one target fares: what last went well, what fails now and why."""

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
# The activity that any success of another ends: only an answer shows that there is a connection.
CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest failure of an operation with one code; `when` is Unix time."""

    message: str
    when: float


class Health:
    """Kept by a poller; `activity` is one of the things it does (discovery, reading, ...)."""

    def __init__(self, target: str, calls: Calls, time: Callable[[], float], since: float = 0.0) -> None:
        """`since` is when the calls began to be counted."""
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
        """None until anything succeeded or failed."""
        return None if self.last_attempt is None else not self._failing

    def fails(self, activity: str) -> bool:
        return activity in self._failing

    def succeeded(self, activity: str) -> None:
        """AWS gave an answer."""
        self.last_attempt = self._time()
        for each in (CONNECTION, activity):
            if self._failing.pop(each, None) is not None:
                _log.info("polling works again", target=self.target, activity=each)
        if not self._failing:
            self.last_success = self.last_attempt

    def settled(self, activity: str) -> None:
        """There is nothing left that could fail."""
        self._failing.pop(activity, None)

    def failed(self, activity: str, error: ApiError) -> None:
        """Log each code once until it works again, not at every poll."""
        self.last_attempt = self._time()
        codes = self._failing.setdefault(activity, set())
        if error.code not in codes:
            _log.warning("polling fails", target=self.target, activity=activity, **error.fields)
        codes.add(error.code)
        self.noticed(error)

    def noticed(self, error: ApiError, whose: str = "") -> None:
        """A failure that does not make the target fail; `whose` says of which jobs."""
        self.last_errors[error.operation, error.code] = LastError(f"{error}{whose}", self._time())

    def successor(self) -> Health:
        """Return the health of the same target in an application that takes over: nothing is known yet, but what was
        counted goes on. Both may count calls; what jobs say is for this one to count until `takes_over`."""
        later = Health(self.target, self.calls, self._time, self.since)
        later._unknown, later._counts_unknown = self._unknown, False
        return later

    def takes_over(self) -> None:
        """Count what jobs say from now on: the earlier application has ended."""
        self._counts_unknown = True

    def look_at(self, job: TrainingJob, before: TrainingJob | None, counted: frozenset[str] = _NONE) -> frozenset[str]:
        """Count statuses that nobody knows when a job takes one on, unless they are `counted` for this job already,
        and return all that are now."""
        earlier = _statuses(before) if before else _NONE
        new = _statuses(job) - earlier - _KNOWN - counted
        for status in sorted(new) if self._counts_unknown else ():
            if status not in self._unknown:
                _log.warning("an unknown status is exported as it is", target=self.target, status=status[:100])
            self._unknown[status] += 1
        return counted | new if new else counted

    def snapshot(self, jobs: int) -> TargetHealth:
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


_KNOWN = frozenset((*STATUSES, *SECONDARY_STATUSES, *WARM_POOL_STATUSES))


def _statuses(job: TrainingJob) -> set[str]:
    """Every status that an answer speaks of."""
    pool = job.warm_pool.status if job.warm_pool else None
    spoken = (job.status, job.secondary_status, pool, *(t.status for t in job.transitions))
    return {status for status in spoken if status}
