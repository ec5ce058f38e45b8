"""Tracks the jobs of one target: decides which are due to be read, which are settled and which can be dropped.

`now` is AWS's time in Unix seconds: times of jobs are compared with nothing else. `at` is the time of the process's
monotonic clock: intervals are measured with nothing else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

from exporter.polling.settling import Settling, gives_up_at, unchanged_since
from exporter.training.active import ActiveCounts
from exporter.training.facts import Facts
from exporter.training.holding import holding, holding_as_listed
from exporter.training.job import Identity, TrainingJob

_DAY = 86400.0
# After this many consecutive refusals, which take some days, a job is retried once a day.
_MANY = 60
# Multiples of the golden ratio modulo 1 spread evenly, however many of them are in use.
_GOLDEN = 0.618033988749895
# An ended job that waits for its bill or a rule is read with backoff: after a share of the time in which it did not
# change. The next turn is up to one and a half pauses away: an hour for the longest one.
_PAUSE, _LONGEST_PAUSE = 0.25, 2400.0


@dataclass(frozen=True, slots=True)
class TrackerTiming:
    """When jobs are read and dropped, in seconds: the interval at which an active job is read, how long an ended one
    must not change to be settled, how long a settled one is kept, and the longest backoff of a refused one."""

    active_interval: float
    settle: float
    retention: float
    longest_wait: float = 3600.0


@dataclass(slots=True)
class TrackedJob:
    """A job and the state of its reading. `slot` is its position within the interval, from 0 to 1; `settled_at` is
    AWS's time when it was found settled; `unknown` holds its unknown statuses that were counted. `refused` counts the
    consecutive failures of this job alone, which is then not read before `retry_at`. It was last `tried` at that
    monotonic time. `quiet_turns` counts consecutive readings that only wait for a bill or a rule. An earlier run
    recorded `facts`, which apply until the job is read."""

    job: TrainingJob
    slot: float
    due: float
    read: bool = False
    changed_at: float = 0.0
    settled_at: float | None = None
    unknown: frozenset[str] = frozenset()
    refused: int = 0
    retry_at: float = -math.inf
    tried: float = -math.inf
    quiet_turns: int = 0
    facts: Facts | None = None


class Tracker:
    """The tracked jobs of a target, by name: a name is unique until its job is deleted."""

    def __init__(self, pace: TrackerTiming, first_slot: float = 0.0) -> None:
        """Track no job yet. `first_slot` is the first job's position within the interval, from 0 to 1."""
        self.pace, self._settling = pace, Settling(pace.settle)
        self._tracked: dict[str, TrackedJob] = {}
        self._slots = (slot % 1.0 for slot in count(first_slot, _GOLDEN))
        self._jobs: Counter[tuple[str, str]] = Counter()
        self._instances: Counter[tuple[str, str]] = Counter()
        self._prepaid: Counter[tuple[str, str]] = Counter()
        self._unknown_status = self._unknown_instances = 0
        self._unbilled: set[str] = set()

    def __len__(self) -> int:
        return len(self._tracked)

    def get(self, name: str) -> TrackedJob | None:
        return self._tracked.get(name)

    def jobs(self) -> Iterable[TrackedJob]:
        return self._tracked.values()

    def recognized(self, job: TrainingJob) -> TrainingJob:
        """Return the job with the CreationTime of the tracked one: operations may differ by some milliseconds."""
        tracked = self._tracked.get(job.name)
        if tracked is None or tracked.job.created == job.created or not _same(tracked.job, job):
            return job
        return replace(job, created=tracked.job.created)

    def counts(self, partial: bool = True, complete: bool = True) -> ActiveCounts:
        """Return the current counts. Unless `partial`, a count that may lack a job that was not read is unknown;
        unless `complete`, those of bills are, which no listing has."""
        instances_known = partial or not self._unknown_instances
        return ActiveCounts(
            jobs=dict(self._jobs),
            instances=dict(self._instances) if instances_known else {},
            prepaid=dict(self._prepaid),
            unbilled=len(self._unbilled) if complete else None,
            jobs_known=partial or not self._unknown_status,
        )

    def should_track(self, job: TrainingJob, closed: bool, now: float) -> bool:
        """Return whether a listed job must be tracked. A job that is `closed` in the ledger must be for as long as its
        own series are kept."""
        tracked = self._tracked.get(job.name)
        # It is tracked already, or a newer job has its name: reopen it only if its settling did not reach the ledger.
        if tracked and (_same(tracked.job, job) or tracked.job.identity.created_ms > job.identity.created_ms):
            return tracked.settled_at is not None and not closed
        return not closed or not self._settling.is_quiet(job, 0.0, now, self.pace.settle) or not self._expired(job, now)

    def track(self, job: TrainingJob, at: float, facts: Facts | None = None) -> Identity | None:
        """Track a job, due at `at`; a job that is tracked already becomes due again and keeps its state.
        Return the identity of another job that had this name before, or None."""
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
        """Update a tracked job that was not read yet with its listed summary. Return whether it changed."""
        tracked = self._tracked.get(job.name)
        if tracked is None or tracked.read or tracked.job == job or not _same(tracked.job, job):
            return False
        self._tally(tracked, -1)
        tracked.job = job
        self._tally(tracked, +1)
        return True

    def due(self, at: float, refused: bool = False) -> list[str]:
        """Return the names of the jobs that are due, or of the refused ones that are, the one first that was tried
        longest ago. A round that ends with its first failure then begins with another job each time."""
        # Ordered by slot next, not by name: a policy may deny all jobs with similar names.
        found = ((f.tried, f.due, f.slot, name) for name, f in self._tracked.items() if f.due <= at)
        return [name for *_, name in sorted(found) if bool(self._tracked[name].refused) == refused]

    def trying(self, name: str, at: float) -> None:
        """Record that a job is going to be read."""
        if tracked := self._tracked.get(name):
            tracked.tried = at

    def next_due(self) -> float:
        """Return when the next job that is not refused is due; infinity if there is none."""
        return min((f.due for f in self._tracked.values() if not f.refused), default=math.inf)

    def refuse(self, name: str, at: float) -> int:
        """Retry a job later that cannot be read while others can, with exponential backoff, and once a day after many
        refusals. Return the number of its consecutive refusals."""
        tracked = self._tracked.get(name)
        if tracked is None:
            return 0
        tracked.refused += 1
        interval = self.pace.active_interval
        longest = max(interval, self.pace.longest_wait, _DAY if tracked.refused >= _MANY else 0.0)
        tracked.due = tracked.retry_at = at + min(interval * 2.0 ** min(tracked.refused, _MANY), longest)
        return tracked.refused

    def accept(self, name: str) -> None:
        """End the backoff of a job that can be read."""
        if tracked := self._tracked.get(name):
            tracked.refused, tracked.retry_at = 0, -math.inf

    def refused_since(self, created_before: float) -> list[str]:
        """Return the names of the refused jobs that were created before a time."""
        return [n for n, f in self._tracked.items() if f.refused and (f.job.created or 0.0) < created_before]

    def postpone(self, name: str, at: float) -> None:
        """Wait for the next turn of a job: its reading failed, or something else has read it."""
        if (tracked := self._tracked.get(name)) and tracked.settled_at is None:
            tracked.due = max(self._next_turn(tracked.slot, at), tracked.retry_at)

    def pause(self, name: str) -> None:
        """Stop describing a job by turns, because sweeps read it."""
        if tracked := self._tracked.get(name):
            tracked.due = math.inf

    def resume_polling(self, at: float) -> None:
        """Describe every job that is not settled by turns again from `at` on, because sweeps fail."""
        for tracked in self._tracked.values():
            if tracked.settled_at is None and tracked.due == math.inf:
                due = self._next_turn(tracked.slot, at) if tracked.read else at
                tracked.due = max(due, tracked.retry_at)

    def read_now(self, name: str, at: float) -> None:
        """Make a job due at `at`, or when its backoff ends."""
        if (tracked := self._tracked.get(name)) and tracked.settled_at is None:
            tracked.due = max(at, tracked.retry_at)

    def read(self, job: TrainingJob, now: float, at: float, settle: float) -> bool:
        """Update a tracked job with a reading. Return whether it changed or is settled.

        It settles after `settle` seconds without a change; more than usual are given for a reading that may be old.
        """
        tracked = self._tracked[job.name]
        first = not tracked.read
        changed = first or job != tracked.job
        if changed:
            self._tally(tracked, -1)
            # Of a first reading the job itself says when it changed, unless that time is in the future.
            tracked.changed_at = now if not first or job.last_change > now else 0.0
        tracked.job, tracked.read, tracked.facts = job, True, None
        if changed:
            self._tally(tracked, +1)
        if self._settling.is_settled(job, tracked.changed_at, now, settle):
            tracked.settled_at, tracked.due = min(job.last_change + settle, now) if first else now, math.inf
            self._unbilled.discard(job.name)
            return True
        due = self._next_turn(tracked.slot, at)
        if self._settling.is_quiet(job, tracked.changed_at, now, settle):
            turn = self._next_turn(tracked.slot, at, self._pause(tracked, now))
            # Read it once more at the end of the patience, lest a late bill be missed.
            left = gives_up_at(job, tracked.changed_at, now) - now
            due = min(turn, at + max(left, self.pace.active_interval))
            tracked.quiet_turns += 1
        else:
            tracked.quiet_turns = 0
        tracked.settled_at, tracked.due = None, max(due, tracked.retry_at)
        (self._unbilled.add if job.unbilled else self._unbilled.discard)(job.name)
        return changed

    def drop(self, name: str) -> TrainingJob | None:
        """Stop tracking a job. Return it, or None if it was not tracked."""
        tracked = self._tracked.pop(name, None)
        if tracked is None:
            return None
        self._unbilled.discard(name)
        self._tally(tracked, -1)
        return tracked.job

    def expired(self, now: float) -> list[str]:
        """Return the names of the settled jobs whose retention is over."""
        limit = now - self.pace.retention
        return [name for name, f in self._tracked.items() if f.settled_at is not None and f.settled_at <= limit]

    def _pause(self, tracked: TrackedJob, now: float) -> float:
        """Return the backoff of a job that only waits for a bill or a rule."""
        still = now - unchanged_since(tracked.job, tracked.changed_at, now)
        # Right after a start the clock may be wrong, so the first pauses are short whatever it says.
        longest = min(self.pace.active_interval * 2.0 ** min(tracked.quiet_turns, _MANY), _LONGEST_PAUSE)
        return max(self.pace.active_interval, min(still * _PAUSE, longest))

    def _next_turn(self, slot: float, at: float, interval: float | None = None) -> float:
        """Return the job's next position in the grid of intervals, at least half an interval away: a late reading is
        not followed by an early one, and jobs stay spread evenly whenever they were created."""
        interval = interval or self.pace.active_interval
        turns = math.floor(at / interval + 0.5 - slot) + 1
        return (turns + slot) * interval

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
        prepaid = bool(job.training_plan or (tracked.facts and tracked.facts.value("plan")))
        for type_, number in held.instances:
            self._instances[type_, held.usage] += sign * number
            if prepaid:
                self._prepaid[type_, held.usage] += sign * number


def _same(one: TrainingJob, other: TrainingJob) -> bool:
    return one.identity.is_same(other.identity)
