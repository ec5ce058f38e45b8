"""Takes answers about jobs in: what they change for the tracker, the ledger and the board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.ledger.accounting import Reading
from exporter.polling.api import Answer
from exporter.polling.health import Health
from exporter.polling.parse_cache import ParseCache
from exporter.polling.tracker import Tracker
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob
from exporter.training.parsing import Allowlist, parse_tags

# What the search index says of an ended job is final only after a while.
_INDEX_LAG = 900.0


@dataclass(slots=True)
class Updates:
    """What a batch of answers brought: readings for the ledger, jobs for the board, and names that are gone."""

    readings: list[Reading]
    jobs: dict[str, TrainingJob]
    gone: list[str]

    @classmethod
    def none(cls) -> Updates:
        return cls([], {}, [])

    def __bool__(self) -> bool:
        return bool(self.readings or self.jobs or self.gone)


class Intake:
    """Of one target. `now` is AWS's clock and `at` the monotonic one, as in the tracker."""

    def __init__(self, account: str, region: str, allow: Allowlist, tracker: Tracker, health: Health) -> None:
        self._parsed, self._allow = ParseCache(account, region, allow), allow
        self._tracker, self._health = tracker, health

    def parse(self, answer: Answer) -> TrainingJob | None:
        """The record of an answer of this target, with the identity that a tracked job has; None when it is none."""
        job = self._parsed.parse(answer)
        return None if job is None else self._tracker.recognized(job)

    def resume(self, identities: Iterable[Identity], recorded: Mapping[Identity, Facts], at: float) -> None:
        """Follow jobs that an earlier run left unfinished, with what it recorded of them where that can be read."""
        for identity in identities:
            created = identity.created_ms / 1000
            self._tracker.track(
                TrainingJob(account=identity.account, region=identity.region, name=identity.name, created=created),
                at,
                recorded.get(identity),
            )

    def track(self, job: TrainingJob, at: float, updates: Updates) -> None:
        """Follow a job that was listed. One of the same name must have been deleted before."""
        replaced = self._tracker.track(job, at)
        if replaced is not None:
            updates.readings.append(Reading.last(replaced))
        tracked = self._tracker.get(job.name)
        if tracked is not None:
            # A describe only repeats what the list has shown already.
            tracked.unknown = self._health.look_at(job, None, tracked.unknown)
        if tracked is not None and not tracked.read:
            updates.jobs[job.name] = job

    def listed(self, job: TrainingJob, updates: Updates) -> None:
        """A listing's summary of a job that is tracked already. It is all that is known of a job that was not read
        yet, or that may not be read."""
        job = self._with_tags(job)
        if self._tracker.listed(job):
            updates.jobs[job.name] = job

    def described(self, job: TrainingJob, now: float, at: float, updates: Updates, doubtful: bool = False) -> None:
        """A full answer about a tracked job. It settles nothing where `now` is `doubtful`."""
        tracked = self._tracker.get(job.name)
        if tracked is None:
            return
        if job.created is None:
            job = replace(job, created=tracked.job.created)
        if job.identity != tracked.job.identity:
            self.track(job, at, updates)
        self._take(self._with_tags(job), now, at, math.inf if doubtful else self._tracker.pace.settle, updates)

    def indexed(self, job: TrainingJob, now: float, at: float, updates: Updates, doubtful: bool = False) -> None:
        """An answer of the search index about a tracked job: late, and without some of the fields. It settles nothing
        where `now` is `doubtful`."""
        tracked = self._tracker.get(job.name)
        if tracked is None or job.identity != tracked.job.identity:
            return
        known = tracked.job
        if tracked.read and (known.terminal or (job.modified or 0.0) < (known.modified or 0.0)):
            return
        if tracked.read:
            job = _completed(job, known)
        self._take(job, now, at, math.inf if doubtful else self._tracker.pace.settle + _INDEX_LAG, updates)
        if not job.terminal:
            # The next sweep reads it; a describe is for those that a sweep misses.
            self._tracker.pause(job.name)

    def gone(self, name: str, updates: Updates) -> None:
        """AWS does not know the job any more: what was counted stays."""
        tracked = self._tracker.get(name)
        job = self._tracker.drop(name)
        if tracked is None or job is None:
            return
        updates.gone.append(name)
        if tracked.read:
            job = job if job.cost_tags is not None else replace(job, cost_tags=())
            updates.readings.append(Reading.of(job, settled=True))
        else:
            updates.readings.append(Reading.last(job.identity))

    def lacks_tags(self, job: TrainingJob) -> bool:
        """Whether tags are wanted and not known yet of a tracked job."""
        job = self._with_tags(job)
        return (bool(self._allow.tags) and job.tags is None) or job.cost_tags is None

    def tagged(self, job: TrainingJob, items: Iterable[object]) -> TrainingJob:
        """A job with its tags, as ListTags gave them."""
        tags = parse_tags(items, self._allow)
        return replace(job, tags=tags.tags, cost_tags=tags.cost_tags)

    def _take(self, job: TrainingJob, now: float, at: float, settle: float, updates: Updates) -> None:
        tracked = self._tracker.get(job.name)
        if tracked is None:
            return
        tracked.unknown = self._health.look_at(job, tracked.job, tracked.unknown)
        if self._tracker.read(job, now, at, settle):
            updates.jobs[job.name] = job
            if job.cost_tags is not None:
                updates.readings.append(Reading.of(job, tracked.settled_at is not None))

    def _with_tags(self, job: TrainingJob) -> TrainingJob:
        """DescribeTrainingJob gives no tags: keep those that are known."""
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
    """Return a record of the index with what only a describe tells; the very same one where that is nothing."""
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
