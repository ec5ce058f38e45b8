"""Reads the tags of jobs with ListTags, because DescribeTrainingJob does not return them."""

from __future__ import annotations

import math

from exporter.clock import Clock
from exporter.polling.api import TAGS, Api, ApiError
from exporter.polling.health import Health
from exporter.polling.intake import Intake
from exporter.process.logs import Log
from exporter.training.job import TrainingJob

_log = Log(__name__)
# After this many consecutive denials the policy seems to lack ListTags: then one job per second is tried at most.
_DENIALS = 20


class Tagger:
    """Reads the tags of jobs that lack them.

    A failure never fails the target. Denied tags are retried after the next `resync` at which no other job waits for
    its first attempt, and tags whose request timed out after `pause` seconds.
    """

    def __init__(self, name: str, api: Api, intake: Intake, health: Health, clock: Clock, pause: float) -> None:
        self._name, self._api, self._intake = name, api, intake
        self._health, self._clock, self._pause = health, clock, pause
        self._retry_at: dict[str, float] = {}
        self._said: set[str] = set()
        self._denials, self._next, self._works = 0, -math.inf, False
        self._held_back = -math.inf

    async def tagged(self, job: TrainingJob) -> TrainingJob:
        """Return the job with its tags, or unchanged if they cannot be read now; they are retried later."""
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
        """Return whether the tags of a job were denied and are not retried before the next resync."""
        return self._retry_at.get(name) == math.inf

    def resync(self) -> None:
        """Retry all denied tags: a policy may have changed."""
        self._denials = 0
        # Others would have no turn if the same jobs were retried first each time.
        if self._clock.monotonic() < self._held_back + self._pause:
            return
        self._said.intersection_update(self._retry_at)
        self._retry_at.clear()

    def _may_ask(self, name: str) -> bool:
        at = self._clock.monotonic()
        if at < self._retry_at.get(name, -math.inf):
            return False
        if self._denials >= _DENIALS and at < self._next:
            self._held_back = at
            return False
        self._next = at + 1.0
        return True

    def _failed(self, name: str, error: ApiError) -> None:
        # A denied AssumeRole is reported here too, but does not concern this job.
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
        """Log the failure once per job, or only once in total if no tags could be read yet: then the policy most likely
        lacks ListTags."""
        if self._works:
            if name not in self._said:
                _log.warning("the tags of a job cannot be read", target=self._name, job=name[:100], **error.fields)
        elif not self._said:
            _log.warning("tags cannot be read", target=self._name, **error.fields)
        self._said.add(name)
