"""Asks AWS about one target: makes one read of each operation through the clients that polling uses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.aws.client import Client, InFlight
from exporter.aws.cloudwatch import CLOUDWATCH, CloudWatch, cloudwatch_limits
from exporter.aws.observing import ObservedSessions
from exporter.aws.pricing import PriceLists, endpoint_region, pricing_limits
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sagemaker import SAGEMAKER, SageMaker
from exporter.aws.servicequotas import AppliedQuotas, quota_limits
from exporter.aws.sessions import Role
from exporter.aws.sts import STS, account_of, sts_limits
from exporter.clock import Clock
from exporter.cloudwatch.api import GET_METRIC_DATA, HOST, MINUTE, Metric, Series
from exporter.cloudwatch.families import UTILIZATION_METRICS
from exporter.config import Config
from exporter.doctor.assumptions import Ended
from exporter.doctor.choosing import chosen
from exporter.doctor.notes import Notes
from exporter.polling.api import ASSUME, DESCRIBE, IDENTITY, LIST, SEARCH, TAGS, Answer, CreatedBetween
from exporter.prices.products import GET_PRODUCTS, read_products
from exporter.quotas.applied import LIST_QUOTAS, read_quotas
from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist, parse
from exporter.training.usage import USAGES
from exporter.wiring.polling import job_limits

# A job that cannot exist for long: a name that nobody gives. To be told that it is not there needs the permission too.
_NOBODY = "sagemaker-exporter-doctor-asks-for-no-job"
_NO_JOB = "there is no job to ask about"
_NO_ANSWER = "ListTrainingJobs had no answer"
# Seconds of values that are requested of CloudWatch before the end of a job, or before now.
_WINDOW = 900.0
_NOTHING = Allowlist()


@dataclass(frozen=True, slots=True)
class Means:
    """What every target shares."""

    config: Config
    sessions: ObservedSessions
    in_flight: InFlight
    clock: Clock

    def client(self, sdk: object, notes: Notes, limits: RateLimits) -> Client:
        return Client(sdk, notes, RateLimiters(limits, self.clock), self.in_flight, self.clock)


class Asking:
    """Asks one target, whose region is known; notes how it went."""

    def __init__(self, means: Means, region: str, role: Role | None, notes: Notes) -> None:
        self._means, self._region, self._role, self._notes = means, region, role, notes
        self._config = means.config
        polling = means.config.polling
        self._at_a_time, self._timeout = polling.max_concurrency, polling.timeout

    async def identity(self) -> str | None:
        """Return the account of the credentials, None if it is not told. Credentials of a role are assumed for it."""

        async def ask() -> str:
            async with self._means.sessions.client(STS, self._region, self._role, self._notes) as sdk:
                return await account_of(
                    self._means.client(sdk, self._notes, sts_limits(self._at_a_time, self._timeout))
                )

        return await self._notes.attempt(ASSUME if self._role else IDENTITY, ask)

    async def everything(self, prices: bool) -> None:
        """Make one read of each operation, with `prices` of the region's prices too."""
        notes = self._notes
        asked = [self._jobs(), notes.guarded(LIST_QUOTAS, self._quotas(), None)]
        await asyncio.gather(*asked, *([notes.guarded(GET_PRODUCTS, self._prices(), None)] if prices else ()))

    async def _jobs(self) -> None:
        billed = self._config.cloudwatch.enabled
        if not billed:
            self._notes.leave_out(GET_METRIC_DATA, "cloudwatch.* is off, and AWS bills each metric")
        limits = job_limits(self._config)
        with self._notes.noting(LIST, DESCRIBE, TAGS, SEARCH, *([GET_METRIC_DATA] if billed else ())):
            async with self._means.sessions.client(SAGEMAKER, self._region, self._role, self._notes) as sdk:
                api = SageMaker(self._means.client(sdk, self._notes, limits))
                listed = await self._listed(api)
                if self._notes.hung(LIST):
                    # The others have the same endpoint, and each would wait as long.
                    for operation in (DESCRIBE, TAGS, SEARCH, *([GET_METRIC_DATA] if billed else ())):
                        self._notes.leave_out(operation, _NO_ANSWER)
                    return
                picked = chosen(listed)
                indexed, described, _ = await asyncio.gather(
                    self._notes.guarded(SEARCH, self._indexed(api, listed), []),
                    self._notes.guarded(DESCRIBE, self._described(api, picked), []),
                    self._notes.guarded(TAGS, self._tags(api, picked), None),
                )
                for job in (each for each in described if each.terminal):
                    self._notes.ended(Ended(job, _named(listed, job), _named(indexed, job), api.now()))
                if billed:
                    await self._metrics(described, api.now())

    async def _listed(self, api: SageMaker) -> list[TrainingJob]:
        page = await self._notes.attempt(LIST, lambda: api.list_jobs(CreatedBetween(None, None), None))
        if page is None:
            return []
        jobs = _parsed(page.jobs)
        created = [job.created for job in jobs if job.created is not None]
        words = [f"{len(page.jobs)} listed", f"{sum(not job.terminal for job in jobs)} active"]
        words += ["more pages"] if page.next_token else []
        words += [f"{len(page.jobs) - len(jobs)} unreadable"] if len(jobs) < len(page.jobs) else []
        words += [] if created == sorted(created, reverse=True) else ["not newest first"]
        self._notes.find(LIST, ", ".join(words))
        self._notes.see(*jobs)
        return jobs

    async def _indexed(self, api: SageMaker, listed: Sequence[TrainingJob]) -> list[TrainingJob]:
        created = [job.created for job in listed if job.created is not None]
        span = CreatedBetween(min(created, default=api.now() - self._config.polling.lookback), None)
        page = await self._notes.attempt(SEARCH, lambda: api.search_created(span, None))
        if page is None:
            return []
        self._notes.find(SEARCH, f"{len(page.jobs)} found")
        return _parsed(page.jobs)

    async def _described(self, api: SageMaker, picked: Sequence[TrainingJob]) -> list[TrainingJob]:
        names = [job.name for job in picked] or [_NOBODY]
        answers = await asyncio.gather(*(self._notes.attempt(DESCRIBE, partial(api.describe, name)) for name in names))
        found = [answer for answer in answers if answer is not None]
        jobs = _parsed(found)
        words = [f"{len(jobs)} described", f"{sum(job.terminal for job in jobs)} ended"] if picked else [_NO_JOB]
        words += [f"{len(found) - len(jobs)} unreadable"] if len(jobs) < len(found) else []
        self._notes.find(DESCRIBE, ", ".join(words))
        self._notes.see(*jobs)
        return jobs

    async def _tags(self, api: SageMaker, picked: Sequence[TrainingJob]) -> None:
        arn = next((job.arn for job in picked if job.arn), None)
        if arn is None:
            self._notes.leave_out(TAGS, _NO_JOB)
            return
        tags = await self._notes.attempt(TAGS, lambda: api.tags(arn))
        if tags is not None:
            self._notes.find(TAGS, f"{len(tags)} found")

    async def _metrics(self, described: Sequence[TrainingJob], now: float) -> None:
        """Request one metric, which AWS bills: of a job that runs, or else of one that has run."""
        job = next((each for each in described if each.started is not None and each.instances), None)
        if job is None:
            self._notes.leave_out(GET_METRIC_DATA, _NO_JOB)
            return
        end = now if job.ended_at is None else min(now, job.ended_at + MINUTE)
        metric = Metric(UTILIZATION_METRICS["cpu"], HOST, f"{job.name}/algo-1")

        async def read() -> Series | None:
            limits = cloudwatch_limits(self._at_a_time, self._timeout)
            async with self._means.sessions.client(CLOUDWATCH, self._region, self._role, self._notes) as sdk:
                source = CloudWatch(self._means.client(sdk, self._notes, limits), lambda _: None)
                return (await source.read([metric], end - _WINDOW, end)).get(metric)

        series = await self._notes.attempt(GET_METRIC_DATA, read)
        points = series.points if series else ()
        newest = (
            f", the newest {round((now - points[0][0]) / MINUTE)} minutes old" if points and not job.terminal else ""
        )
        self._notes.find(GET_METRIC_DATA, f"{len(points)} of CPUUtilization{newest}")

    async def _prices(self) -> None:
        """Read the price list, with the exporter's own credentials like polling."""
        means, notes, region = self._means, self._notes, self._region
        if endpoint_region(region) is None:
            notes.leave_out(GET_PRODUCTS, "AWS has no price list for this partition: set prices.file")
            return
        limiters = RateLimiters(pricing_limits(self._at_a_time, self._timeout), means.clock)
        source = PriceLists(means.sessions, limiters, means.in_flight, means.clock, lambda _: notes)
        found = await notes.attempt(GET_PRODUCTS, lambda: read_products(source, region))
        if found is not None:
            usages = Counter(usage for _, usage in found.lists[region].prices)
            words = [f"{usages[usage]} of {usage}" for usage in USAGES]
            notes.find(GET_PRODUCTS, ", ".join([*words, f"{len(found.bad)} unusable"] if found.bad else words))

    async def _quotas(self) -> None:
        means, limits = self._means, quota_limits(self._at_a_time, self._timeout)
        limiters = RateLimiters(limits, means.clock)
        source = AppliedQuotas(means.sessions, self._role, limiters, means.in_flight, means.clock, self._notes)
        found = await self._notes.attempt(LIST_QUOTAS, lambda: read_quotas(source, self._region))
        if found is not None:
            total = "" if found.all_instances is not None else ", none across all jobs"
            self._notes.find(LIST_QUOTAS, f"{len(found.by_type)} of training{total}")


def _parsed(answers: Iterable[Answer]) -> list[TrainingJob]:
    """Return the records of jobs without anything that an allowlist would have to name."""
    return [job for answer in answers if (job := parse(answer, "", "", _NOTHING)) is not None]


def _named(jobs: Iterable[TrainingJob], job: TrainingJob) -> TrainingJob | None:
    return next((each for each in jobs if each.name == job.name), None)
