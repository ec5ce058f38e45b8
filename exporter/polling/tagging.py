"""Reads the tags of jobs, which DescribeTrainingJob does not give."""

from __future__ import annotations

import math

from exporter.clock import Clock
from exporter.polling.api import TAGS, Api, ApiError
from exporter.polling.health import Health
from exporter.polling.intake import Intake
from exporter.process.logs import Log
from exporter.training.job import TrainingJob

_log = Log(__name__)
# After so many denials in a row the policy seems to lack the operation: then at most one job a second is tried.
_DENIALS = 20


class Tagger:
    """Asks for the tags of jobs that lack them. A denial belongs to its job, whose tags are asked for again after the
    next `resync`; where no answer came in time, after `pause` seconds."""

    def __init__(self, name: str, api: Api, intake: Intake, health: Health, clock: Clock, pause: float) -> None:
        self._name, self._api, self._intake = name, api, intake
        self._health, self._clock, self._pause = health, clock, pause
        self._retry_at: dict[str, float] = {}
        self._said: set[str] = set()
        self._denials, self._next, self._works = 0, -math.inf, False

    async def tagged(self, job: TrainingJob) -> TrainingJob:
        """The job with its tags; without them where they cannot be had now: they will be asked for again."""
        if not job.arn or not self._intake.lacks_tags(job) or not self._may_ask(job.name):
            return job
        try:
            items = await self._api.tags(job.arn)
        except ApiError as error:
            self._failed(job.name, error)
            return job
        self._retry_at.pop(job.name, None)
        self._said.discard(job.name)
        self._denials, self._works = 0, True
        return self._intake.tagged(job, items)

    def waits_for(self, name: str) -> bool:
        """Whether the tags of a job were denied and are not asked for before the next resync."""
        return self._retry_at.get(name) == math.inf

    def resync(self) -> None:
        """Ask for all tags again that were denied."""
        self._said.intersection_update(self._retry_at)
        self._retry_at.clear()
        self._denials = 0

    def _may_ask(self, name: str) -> bool:
        at = self._clock.monotonic()
        if at < self._retry_at.get(name, -math.inf) or (self._denials >= _DENIALS and at < self._next):
            return False
        self._next = at + 1.0
        return True

    def _failed(self, name: str, error: ApiError) -> None:
        # A role that may not be assumed is denied, too, and no job's matter.
        if error.denied and error.operation == TAGS:
            self._retry_at[name] = math.inf
            self._denials += 1
            denied = sum(at == math.inf for at in self._retry_at.values())
            self._health.noticed(error, f" ({denied} jobs)" if denied > 1 else "")
            self._say(name, error)
            return
        self._health.noticed(error)
        if error.code == "Timeout":
            self._retry_at[name] = self._clock.monotonic() + self._pause

    def _say(self, name: str, error: ApiError) -> None:
        """Once for each job; but once in all where no tags could be read yet, which is a matter of the policy."""
        if self._works:
            if name not in self._said:
                _log.warning("the tags of a job cannot be read", target=self._name, job=name[:100], **error.fields)
        elif not self._said:
            _log.warning("tags cannot be read", target=self._name, **error.fields)
        self._said.add(name)
