"""Describes the jobs of one target by name, some at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from exporter.clock import Clock
from exporter.polling.api import DESCRIBE, Api, ApiError
from exporter.polling.health import Health
from exporter.polling.intake import News, Reader
from exporter.polling.tracker import Fleet
from exporter.training.job import TrainingJob

_log = logging.getLogger(__name__)
_BATCH = 25


class Describer:
    """`workers` describes run at a time; what a batch of them brought goes to `publish`. Tags, where they are wanted
    and not known, are read with the job, unless they turned out to be `tags_denied`."""

    def __init__(
        self,
        name: str,
        api: Api,
        fleet: Fleet,
        reader: Reader,
        health: Health,
        clock: Clock,
        workers: int,
        publish: Callable[[News], Awaitable[None]],
    ) -> None:
        self._name, self._api, self._fleet, self._reader = name, api, fleet, reader
        self._health, self._clock, self._workers, self._publish = health, clock, workers, publish
        self._failed = False
        self.tags_denied = False

    async def read(self, names: Sequence[str]) -> None:
        """Describe these jobs. What makes the whole target fail ends the round: the rest would fail too, and wait
        for it."""
        for start in range(0, len(names), _BATCH):
            batch, news = names[start : start + _BATCH], News.none()
            queue = iter(batch)
            failures: list[ApiError] = []
            # Where the last round failed, one call finds out whether this one would: many that hang would hold what
            # all targets share.
            workers = 1 if self._failed else min(self._workers, len(batch))
            await asyncio.gather(*(self._work(queue, news, failures) for _ in range(workers)))
            self._failed = bool(failures)
            if failures:
                self._health.failed("reading", failures[0])
            else:
                self._health.succeeded("reading")
            await self._publish(news)
            if failures:
                at = self._clock.monotonic()
                for name in (*queue, *names[start + _BATCH :]):
                    self._fleet.postpone(name, at)
                return

    async def _work(self, queue: Iterator[str], news: News, failures: list[ApiError]) -> None:
        for name in queue:
            try:
                await self._describe(name, news)
            except ApiError as error:
                self._fleet.postpone(name, self._clock.monotonic())
                self._health.noticed(error)
                if not error.isolated:
                    failures.append(error)
            if failures:
                return

    async def _describe(self, name: str, news: News) -> None:
        answer = await self._api.describe(name)
        if answer is None:
            self._reader.gone(name, news)
            return
        job = self._reader.parse(answer)
        if job is None or job.name != name:
            raise self._health.calls.refused(DESCRIBE, "InvalidResponse")
        if self._reader.lacks_tags(job) and job.arn and not self.tags_denied:
            job = await self._tagged(job)
        self._reader.described(job, self._api.now(), self._clock.monotonic(), news)

    async def _tagged(self, job: TrainingJob) -> TrainingJob:
        """The job with its tags; without them where they cannot be had now: they will be asked for again."""
        try:
            return self._reader.tagged(job, await self._api.tags(job.arn))
        except ApiError as error:
            self._health.noticed(error)
            if error.denied:
                _log.warning("%s: tags cannot be read: %s", self._name, error)
                self.tags_denied = True
            return job
