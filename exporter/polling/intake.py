"""Takes answers about jobs in: what they change for the fleet, the ledger and the board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.ledger.accounting import Reading
from exporter.polling.api import Answer
from exporter.polling.health import Health
from exporter.polling.parse_cache import Records
from exporter.polling.tracker import Fleet
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob
from exporter.training.parsing import Allowlist, parse_tags

# What the search index says of an ended job is final only after a while.
_INDEX_LAG = 900.0


@dataclass(slots=True)
class News:
    """What a batch of answers brought: readings for the ledger, jobs for the board, and names that are gone."""

    readings: list[Reading]
    jobs: dict[str, TrainingJob]
    gone: list[str]

    @classmethod
    def none(cls) -> News:
        return cls([], {}, [])

    def __bool__(self) -> bool:
        return bool(self.readings or self.jobs or self.gone)


class Reader:
    """Of one target. `now` is AWS's clock and `at` the monotonic one, as in the fleet."""

    def __init__(self, account: str, region: str, allow: Allowlist, fleet: Fleet, health: Health) -> None:
        self._records, self._allow = Records(account, region, allow), allow
        self._fleet, self._health = fleet, health

    def parse(self, answer: Answer) -> TrainingJob | None:
        """The record of an answer of this target, with the identity that a followed job has; None when it is none."""
        job = self._records.of(answer)
        return None if job is None else self._fleet.recognized(job)

    def resume(self, identities: Iterable[Identity], recorded: Mapping[Identity, Facts], at: float) -> None:
        """Follow jobs that an earlier run left unfinished, with what it recorded of them where that can be read."""
        for identity in identities:
            created = identity.created_ms / 1000
            self._fleet.follow(
                TrainingJob(account=identity.account, region=identity.region, name=identity.name, created=created),
                at,
                recorded.get(identity),
            )

    def follow(self, job: TrainingJob, at: float, news: News) -> None:
        """Follow a job that was listed. One of the same name must have been deleted before."""
        replaced = self._fleet.follow(job, at)
        if replaced is not None:
            news.readings.append(Reading.last(replaced))
        followed = self._fleet.get(job.name)
        if followed is not None:
            # A describe only repeats what the list has shown already.
            followed.unknown = self._health.look_at(job, None, followed.unknown)
        if followed is not None and not followed.read:
            news.jobs[job.name] = job

    def listed(self, job: TrainingJob, news: News) -> None:
        """A listing's summary of a job that is followed already. It is all that is known of a job that was not read
        yet, or that may not be read."""
        job = self._with_tags(job)
        if self._fleet.listed(job):
            news.jobs[job.name] = job

    def described(self, job: TrainingJob, now: float, at: float, news: News, doubtful: bool = False) -> None:
        """A full answer about a followed job. It settles nothing where `now` is `doubtful`."""
        followed = self._fleet.get(job.name)
        if followed is None:
            return
        if job.created is None:
            job = replace(job, created=followed.job.created)
        if job.identity != followed.job.identity:
            self.follow(job, at, news)
        self._take(self._with_tags(job), now, at, math.inf if doubtful else self._fleet.pace.settle, news)

    def indexed(self, job: TrainingJob, now: float, at: float, news: News, doubtful: bool = False) -> None:
        """An answer of the search index about a followed job: late, and without some of the fields. It settles nothing
        where `now` is `doubtful`."""
        followed = self._fleet.get(job.name)
        if followed is None or job.identity != followed.job.identity:
            return
        known = followed.job
        if followed.read and (known.terminal or (job.modified or 0.0) < (known.modified or 0.0)):
            return
        if followed.read:
            job = _completed(job, known)
        self._take(job, now, at, math.inf if doubtful else self._fleet.pace.settle + _INDEX_LAG, news)
        if not job.terminal:
            # The next sweep reads it; a describe is for those that a sweep misses.
            self._fleet.rest(job.name)

    def gone(self, name: str, news: News) -> None:
        """AWS does not know the job any more: what was counted stays."""
        followed = self._fleet.get(name)
        job = self._fleet.drop(name)
        if followed is None or job is None:
            return
        news.gone.append(name)
        if followed.read:
            job = job if job.cost_tags is not None else replace(job, cost_tags=())
            news.readings.append(Reading.of(job, settled=True))
        else:
            news.readings.append(Reading.last(job.identity))

    def lacks_tags(self, job: TrainingJob) -> bool:
        """Whether tags are wanted and not known yet of a followed job."""
        job = self._with_tags(job)
        return (bool(self._allow.tags) and job.tags is None) or job.cost_tags is None

    def tagged(self, job: TrainingJob, items: Iterable[object]) -> TrainingJob:
        """A job with its tags, as ListTags gave them."""
        tags = parse_tags(items, self._allow)
        return replace(job, tags=tags.tags, cost_tags=tags.cost_tags)

    def _take(self, job: TrainingJob, now: float, at: float, settle: float, news: News) -> None:
        followed = self._fleet.get(job.name)
        if followed is None:
            return
        followed.unknown = self._health.look_at(job, followed.job, followed.unknown)
        if self._fleet.read(job, now, at, settle):
            news.jobs[job.name] = job
            if job.cost_tags is not None:
                news.readings.append(Reading.of(job, followed.settled_at is not None))

    def _with_tags(self, job: TrainingJob) -> TrainingJob:
        """DescribeTrainingJob gives no tags: keep those that are known."""
        followed = self._fleet.get(job.name)
        if followed is None or not self._allow.wants_tags:
            return job
        known = followed.job if followed.job.identity == job.identity else job
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
