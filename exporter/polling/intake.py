"""Passes parsed jobs to the tracker, and collects what they change for the ledger and the board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.ledger.accounting import Reading
from exporter.polling.api import Answer
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.parse_cache import ParseCache
from exporter.polling.tracker import Tracker
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob
from exporter.training.parsing import Allowlist, parse_tags

# Seconds by which the search index may lag: an ended job that was read from it settles this much later.
_INDEX_LAG = 900.0


@dataclass(slots=True)
class Updates:
    """The results of a batch: readings for the ledger, jobs for the board by name, and names of deleted jobs."""

    readings: list[Reading]
    jobs: dict[str, TrainingJob]
    gone: list[str]

    @classmethod
    def none(cls) -> Updates:
        """Return an empty batch to add to."""
        return cls([], {}, [])

    def __bool__(self) -> bool:
        return bool(self.readings or self.jobs or self.gone)


class Intake:
    """Takes in the jobs of one target. `now` is AWS's time and `at` the monotonic time, as in the tracker."""

    def __init__(
        self,
        account: str,
        region: str,
        allow: Allowlist,
        tracker: Tracker,
        health: Health,
        failures: RecentFailures,
    ) -> None:
        self._parsed, self._allow = ParseCache(account, region, allow), allow
        self._tracker, self._health, self.failures = tracker, health, failures

    def parse(self, answer: Answer) -> TrainingJob | None:
        """Return the record of a response, with the identity of the job if it is tracked; None if it is no job."""
        parsed = self._parsed.parse(answer)
        if parsed is None:
            return None
        job = self._tracker.recognized(parsed)
        self.failures.note(job)
        return job

    def resume(
        self, identities: Iterable[Identity], recorded: Mapping[Identity, Facts], at: float, updates: Updates
    ) -> None:
        """Track the jobs that an earlier run left unfinished, with the facts that it recorded, if they are readable.
        They, or later jobs of their names, may be tracked already."""
        # Of two jobs of one name the later one is tracked: the earlier one was deleted, and cannot be read again.
        for identity in sorted(identities, key=lambda each: each.created_ms):
            tracked, created = self._tracker.get(identity.name), identity.created_ms / 1000
            if tracked and tracked.job.identity.is_same(identity):
                continue
            if tracked and tracked.job.identity.created_ms > identity.created_ms:
                updates.readings.append(Reading.last(identity))
                continue
            replaced = self._tracker.track(
                TrainingJob(account=identity.account, region=identity.region, name=identity.name, created=created),
                at,
                recorded.get(identity),
            )
            if replaced is not None:
                updates.readings.append(Reading.last(replaced))

    def track(self, job: TrainingJob, at: float, updates: Updates) -> None:
        """Track a listed job."""
        replaced = self._tracker.track(job, at)
        # Names are unique: an earlier job of this name was deleted, and cannot be read again.
        if replaced is not None:
            updates.readings.append(Reading.last(replaced))
        tracked = self._tracker.get(job.name)
        if tracked is not None:
            # Count them here, because the first describe is compared with this record and shows no change.
            tracked.unknown = self._health.look_at(job, None, tracked.unknown)
        if tracked is not None and not tracked.read:
            updates.jobs[job.name] = job

    def listed(self, job: TrainingJob, updates: Updates) -> None:
        """Take in a listing's summary of a tracked job. For a job that was not read yet, or is denied, nothing else
        is known."""
        job = self._with_tags(job)
        if self._tracker.listed(job):
            updates.jobs[job.name] = job

    def described(self, job: TrainingJob, now: float, at: float, updates: Updates, doubtful: bool = False) -> None:
        """Take in a full description of a tracked job. It does not settle the job if `now` is `doubtful`."""
        tracked = self._tracker.get(job.name)
        # The job was dropped while the describe was in flight.
        if tracked is None:
            return
        if job.created is None:
            job = replace(job, created=tracked.job.created)
        if job.identity != tracked.job.identity:
            self.track(job, at, updates)
        self._take(self._with_tags(job), now, at, math.inf if doubtful else self._tracker.pace.settle, updates)

    def indexed(self, job: TrainingJob, now: float, at: float, updates: Updates, doubtful: bool = False) -> None:
        """Take in a record of the search index about a tracked job, which may be outdated and lacks some fields. It
        does not settle the job if `now` is `doubtful`."""
        tracked = self._tracker.get(job.name)
        if tracked is None or job.identity != tracked.job.identity:
            return
        known = tracked.job
        # The index must not undo what a describe has shown: that a job has ended, or a later change.
        if tracked.read and (known.terminal or (job.modified or 0.0) < (known.modified or 0.0)):
            return
        if tracked.read:
            job = _completed(job, known)
        self._take(job, now, at, math.inf if doubtful else self._tracker.pace.settle + _INDEX_LAG, updates)
        if not job.terminal:
            # The next sweep reads it. Only jobs that a sweep misses are described.
            self._tracker.pause(job.name)

    def gone(self, name: str, updates: Updates) -> None:
        """Drop a job that does not exist any more. What it added to the totals stays."""
        tracked = self._tracker.get(name)
        job = self._tracker.drop(name)
        if tracked is None or job is None:
            return
        updates.gone.append(name)
        if tracked.read:
            # Its tags cannot be read any more: count it without them rather than never.
            job = job if job.cost_tags is not None else replace(job, cost_tags=())
            updates.readings.append(Reading.of(job, settled=True))
        else:
            updates.readings.append(Reading.last(job.identity))

    def lacks_tags(self, job: TrainingJob) -> bool:
        """Return whether the configuration uses tags and those of a tracked job are not known yet."""
        job = self._with_tags(job)
        return (bool(self._allow.tags) and job.tags is None) or job.cost_tags is None

    def tagged(self, job: TrainingJob, items: Iterable[object]) -> TrainingJob:
        """Return a job with its tags; `items` are the objects that ListTags returned."""
        tags = parse_tags(items, self._allow)
        return replace(job, tags=tags.tags, cost_tags=tags.cost_tags)

    def _take(self, job: TrainingJob, now: float, at: float, settle: float, updates: Updates) -> None:
        tracked = self._tracker.get(job.name)
        if tracked is None:
            return
        tracked.unknown = self._health.look_at(job, tracked.job, tracked.unknown)
        if self._tracker.read(job, now, at, settle):
            updates.jobs[job.name] = job
            # A job is counted under its tags, so it waits until they are known.
            if job.cost_tags is not None:
                updates.readings.append(Reading.of(job, tracked.settled_at is not None))

    def _with_tags(self, job: TrainingJob) -> TrainingJob:
        """Return a job with the tags that are known of it: DescribeTrainingJob does not return tags."""
        tracked = self._tracker.get(job.name)
        if tracked is None or not self._allow.wants_tags:
            return job
        known = tracked.job if tracked.job.identity == job.identity else job
        return replace(
            job,
            tags=job.tags if job.tags is not None else known.tags,
            cost_tags=job.cost_tags if job.cost_tags is not None else known.cost_tags,
        )


def _completed(job: TrainingJob, known: TrainingJob) -> TrainingJob:
    """Return a record of the index with the fields that only a describe has: ProgressInfo, BillableTokenCount and the
    statuses of profiler rules."""
    # Without such fields return the same object: in use, it stays in the parse cache.
    profiler = tuple(rule for rule in known.rules if rule.kind == "profiler")
    if not profiler and (job.progress, job.billable_tokens, job.serverless) == (
        known.progress,
        known.billable_tokens,
        known.serverless,
    ):
        return job
    return replace(
        job,
        progress=known.progress,
        billable_tokens=known.billable_tokens,
        serverless=known.serverless,
        rules=(*job.rules, *profiler),
    )
