"""The jobs of one target that are tracked: which is due to be read, which is settled, which may be forgotten.

`now` is AWS's own clock (Unix seconds), the only one that times of jobs are compared with. `at` is the process's
monotonic clock, the only one that intervals are measured with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

from exporter.training.active import ActiveCounts
from exporter.training.facts import Facts
from exporter.training.holding import holding, holding_as_listed
from exporter.training.job import Identity, TrainingJob

_DAY = 86400.0
# Refusals in a row, some days' worth, after which a job is tried once a day.
_MANY = 60
_GOLDEN = 0.618033988749895
# How long after its end a job's bill is awaited, and a rule that still runs.
PATIENCE = 86400.0
# Meanwhile the job is read again after a share of the time in which nothing changed, so less and less often. The next
# turn is up to one and a half pauses away: an hour for the longest one.
_PAUSE, _LONGEST_PAUSE = 0.25, 2400.0


@dataclass(frozen=True, slots=True)
class TrackerTiming:
    """How often an active job is read, how long an ended one must stand still to be settled, how long a settled
    one is kept, and after how long one that cannot be read is tried again at the latest. All in seconds."""

    active_interval: float
    settle: float
    retention: float
    longest_wait: float = 3600.0


@dataclass(slots=True)
class TrackedJob:
    """A job and where its reading stands. `slot` is its place within the interval, `settled_at` AWS's time when it
    was found settled, `unknown` are the statuses of it that nobody knows and that were counted. `refused` says how
    often in a row it alone could not be read; then it waits for `retry_at`. `quiet_turns` are its readings in a row
    that only wait for a bill or a rule. `facts` are what an earlier run recorded,
    of use until the job is read."""

    job: TrainingJob
    slot: float
    due: float
    read: bool = False
    changed_at: float = 0.0
    settled_at: float | None = None
    unknown: frozenset[str] = frozenset()
    refused: int = 0
    retry_at: float = -math.inf
    quiet_turns: int = 0
    facts: Facts | None = None


class Tracker:
    """All jobs of a target that are tracked, by name: a name is a job's own until the job is deleted."""

    def __init__(self, pace: TrackerTiming, first_slot: float = 0.0) -> None:
        """`first_slot` is the first job's place within the interval, from 0 to 1: another one for each target."""
        self.pace = pace
        self._tracked: dict[str, TrackedJob] = {}
        self._slots = (slot % 1.0 for slot in count(first_slot, _GOLDEN))
        self._jobs: Counter[tuple[str, str]] = Counter()
        self._instances: Counter[tuple[str, str]] = Counter()
        self._unknown_status = self._unknown_instances = 0
        self._unbilled: set[str] = set()

    def __len__(self) -> int:
        return len(self._tracked)

    def get(self, name: str) -> TrackedJob | None:
        return self._tracked.get(name)

    def jobs(self) -> Iterable[TrackedJob]:
        return self._tracked.values()

    def recognized(self, job: TrainingJob) -> TrainingJob:
        """The job as created when it is known to be: operations may differ by some milliseconds."""
        tracked = self._tracked.get(job.name)
        if tracked is None or tracked.job.created == job.created or not _same(tracked.job, job):
            return job
        return replace(job, created=tracked.job.created)

    def counts(self, partial: bool = True) -> ActiveCounts:
        """What there is now. Unless `partial`, a number is unknown while a job that was not read yet may lack in it."""
        jobs_known = partial or not self._unknown_status
        instances_known = partial or not self._unknown_instances
        return ActiveCounts(
            jobs=dict(self._jobs),
            instances=dict(self._instances) if instances_known else {},
            unbilled=len(self._unbilled) if partial else None,
            jobs_known=jobs_known,
        )

    def should_track(self, job: TrainingJob, closed: bool, now: float) -> bool:
        """Whether a job that was listed must be tracked. One that is `closed` for the totals is, as long as its
        own series are kept."""
        tracked = self._tracked.get(job.name)
        if tracked and (_same(tracked.job, job) or tracked.job.identity.created_ms > job.identity.created_ms):
            return tracked.settled_at is not None and not closed
        return not closed or not self._is_quiet(job, 0.0, now, self.pace.settle) or not self._expired(job, now)

    def track(self, job: TrainingJob, at: float, facts: Facts | None = None) -> Identity | None:
        """Follow a job, due at that time; one that is tracked already is read again, and stays as it was until then.
        Gives the identity of another job that had this name before."""
        earlier = self._tracked.get(job.name)
        if earlier and _same(earlier.job, job):
            earlier.due, earlier.settled_at = max(at, earlier.retry_at), None
            return None
        slot = earlier.slot if earlier else next(self._slots)
        if earlier:
            self.drop(job.name)
        tracked = self._tracked[job.name] = TrackedJob(job, slot, due=at, facts=facts)
        self._tally(tracked, +1)
        return earlier.job.identity if earlier else None

    def listed(self, job: TrainingJob) -> bool:
        """Take in what a listing says of a tracked job that was not read yet. Says whether that is new."""
        tracked = self._tracked.get(job.name)
        if tracked is None or tracked.read or tracked.job == job or not _same(tracked.job, job):
            return False
        self._tally(tracked, -1)
        tracked.job = job
        self._tally(tracked, +1)
        return True

    def due(self, at: float, refused: bool = False) -> list[str]:
        """The names of the jobs to be read now, the longest waiting first; or of those that were refused. Jobs whose
        names are alike are not next to each other: a policy may deny all of them."""
        found = ((f.due, f.slot, name) for name, f in self._tracked.items() if f.due <= at)
        return [name for _, _, name in sorted(found) if bool(self._tracked[name].refused) == refused]

    def next_due(self) -> float:
        """When the next job that was not refused is due; infinity when none is."""
        return min((f.due for f in self._tracked.values() if not f.refused), default=math.inf)

    def refuse(self, name: str, at: float) -> int:
        """This job cannot be read while others can: wait twice as long as the last time, and a day once that did not
        help for long. Says how often it was refused in a row."""
        tracked = self._tracked.get(name)
        if tracked is None:
            return 0
        tracked.refused += 1
        interval = self.pace.active_interval
        longest = max(interval, self.pace.longest_wait, _DAY if tracked.refused >= _MANY else 0.0)
        tracked.due = tracked.retry_at = at + min(interval * 2.0 ** min(tracked.refused, _MANY), longest)
        return tracked.refused

    def accept(self, name: str) -> None:
        """This job can be read."""
        if tracked := self._tracked.get(name):
            tracked.refused, tracked.retry_at = 0, -math.inf

    def refused_since(self, created_before: float) -> list[str]:
        """The names of the jobs created before a time that cannot be read."""
        return [n for n, f in self._tracked.items() if f.refused and (f.job.created or 0.0) < created_before]

    def postpone(self, name: str, at: float) -> None:
        """Its reading failed, or somebody else has read it: wait for its next turn."""
        if (tracked := self._tracked.get(name)) and tracked.settled_at is None:
            tracked.due = max(self._next_turn(tracked.slot, at), tracked.retry_at)

    def pause(self, name: str) -> None:
        """Sweeps read it: it has no turn of its own."""
        if tracked := self._tracked.get(name):
            tracked.due = math.inf

    def resume_polling(self, at: float) -> None:
        """Sweeps fail: give every job that is not settled its own turn again, from then on."""
        for tracked in self._tracked.values():
            if tracked.settled_at is None and tracked.due == math.inf:
                due = self._next_turn(tracked.slot, at) if tracked.read else at
                tracked.due = max(due, tracked.retry_at)

    def read_now(self, name: str, at: float) -> None:
        """Read it now, or when it may be tried again."""
        if (tracked := self._tracked.get(name)) and tracked.settled_at is None:
            tracked.due = max(at, tracked.retry_at)

    def read(self, job: TrainingJob, now: float, at: float, settle: float) -> bool:
        """Take a reading of a tracked job in. Says whether anything is new: a change, or that it is settled,
        having stood still for `settle` seconds, which are more than usual for a reading that may be old."""
        tracked = self._tracked[job.name]
        first = not tracked.read
        changed = first or job != tracked.job
        if changed:
            self._tally(tracked, -1)
            # A job whose times are in the future has changed now: that is all that is known of it.
            tracked.changed_at = now if not first or job.last_change > now else 0.0
        tracked.job, tracked.read, tracked.facts = job, True, None
        if changed:
            self._tally(tracked, +1)
        if self._is_settled(job, tracked.changed_at, now, settle):
            tracked.settled_at, tracked.due = min(job.last_change + settle, now) if first else now, math.inf
            self._unbilled.discard(job.name)
            return True
        due = self._next_turn(tracked.slot, at)
        if self._is_quiet(job, tracked.changed_at, now, settle):
            turn = self._next_turn(tracked.slot, at, self._pause(tracked, now))
            # What AWS says last before its time is up is not missed.
            left = _past(job.over_since or 0.0, tracked.changed_at, now) + PATIENCE - now
            due = min(turn, at + max(left, self.pace.active_interval))
            tracked.quiet_turns += 1
        else:
            tracked.quiet_turns = 0
        tracked.settled_at, tracked.due = None, max(due, tracked.retry_at)
        (self._unbilled.add if job.unbilled else self._unbilled.discard)(job.name)
        return changed

    def drop(self, name: str) -> TrainingJob | None:
        """Forget a job, because AWS has."""
        tracked = self._tracked.pop(name, None)
        if tracked is None:
            return None
        self._unbilled.discard(name)
        self._tally(tracked, -1)
        return tracked.job

    def expired(self, now: float) -> list[str]:
        """The settled jobs whose own series have been kept long enough."""
        limit = now - self.pace.retention
        return [name for name, f in self._tracked.items() if f.settled_at is not None and f.settled_at <= limit]

    def _pause(self, tracked: TrackedJob, now: float) -> float:
        still = now - max(_past(tracked.job.last_change, tracked.changed_at, now), tracked.changed_at)
        # The clock may be found to be wrong after a start: the first pauses are short, whatever it says.
        longest = min(self.pace.active_interval * 2.0 ** min(tracked.quiet_turns, _MANY), _LONGEST_PAUSE)
        return max(self.pace.active_interval, min(still * _PAUSE, longest))

    def _next_turn(self, slot: float, at: float, interval: float | None = None) -> float:
        """The job's next place in the grid of intervals, at least half an interval away: so a late reading is not
        tracked by an early one, and all jobs are spread evenly whenever they came."""
        interval = interval or self.pace.active_interval
        turns = math.floor(at / interval + 0.5 - slot) + 1
        return (turns + slot) * interval

    def _is_settled(self, job: TrainingJob, changed_at: float, now: float, settle: float) -> bool:
        """Whether AWS will say nothing new of it, or has had its time to."""
        given_up = _past(job.over_since or 0.0, changed_at, now) + PATIENCE <= now - (settle - self.pace.settle)
        return self._is_quiet(job, changed_at, now, settle) and (given_up or not _lacks_something(job))

    def _is_quiet(self, job: TrainingJob, changed_at: float, now: float, settle: float) -> bool:
        """It is over, nothing moves any more, and nothing but what takes hours may be to come."""
        if not job.terminal or job.cost_tags is None:
            return False
        still_since = max(_past(job.last_change, changed_at, now), changed_at)
        return still_since + settle <= now and self._pool_is_over(job, changed_at, now)

    def _pool_is_over(self, job: TrainingJob, changed_at: float, now: float) -> bool:
        status = job.warm_pool.status if job.warm_pool else None
        if status in ("Reused", "Terminated"):
            return True
        if status == "Available":
            return False
        # Asked for and not (or no longer) to be seen: a pool lives at most so long.
        return _past(job.over_since or 0.0, changed_at, now) + (job.keep_alive_seconds or 0.0) + self.pace.settle <= now

    def _expired(self, job: TrainingJob, now: float) -> bool:
        return job.last_change + self.pace.settle + self.pace.retention <= now

    def _tally(self, tracked: TrackedJob, sign: int) -> None:
        job = tracked.job
        if job.status is None:
            self._unknown_status += sign
        elif not job.terminal:
            self._jobs[job.status, job.secondary_status or ""] += sign
        held = holding(job) if tracked.read else holding_as_listed(job, tracked.facts)
        if held is None:
            self._unknown_instances += sign
            return
        for type_, number in held.instances:
            self._instances[type_, held.usage] += sign * number


def _lacks_something(job: TrainingJob) -> bool:
    """Whether AWS has not said everything yet of a job that is over."""
    return job.unbilled or not job.evaluated


def _same(one: TrainingJob, other: TrainingJob) -> bool:
    return one.identity.is_same(other.identity)


def _past(time: float, changed_at: float, now: float) -> float:
    """A time that a job speaks of. One in the future is wrong, or the clock is behind: then it is when the job was last
    seen to change, or now, so that nothing is settled or given up too soon."""
    return time if time <= now else changed_at or now
