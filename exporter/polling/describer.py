"""Describes the jobs of one target concurrently, and tells failures of single jobs from failures of the target."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.polling.api import DESCRIBE, Api, ApiError
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.tagging import Tagger
from exporter.polling.tracker import Tracker
from exporter.process.logs import Log

_log = Log(__name__)
# Readings are published after this many describes, so that a long round shows its progress.
_BATCH = 25
# When no job can be read, this many are tried before the target is considered to fail.
_TRIALS = 10
# Then this many jobs that could be read before are described, to tell whether the target fails or only the others.
_PROBES = 5
# Failures other than denials are often temporary: they are logged from the third consecutive one on.
_PERSISTENT = 3


@dataclass(slots=True)
class _Round:
    """The results of a batch.

    `doubts` holds failures that may concern one job or the target, until another response decides; `failure` is the
    failure of the target. The round ends when `trials` jobs are in doubt and there was no response.
    """

    queue: Iterator[str]
    trials: float
    thorough: bool
    updates: Updates = field(default_factory=Updates.none)
    answers: int = 0
    doubts: dict[str, ApiError] = field(default_factory=dict)
    failure: ApiError | None = None

    @property
    def is_over(self) -> bool:
        if self.failure:
            return True
        # A thorough round tries every job before it takes denials for those of the target.
        doubts = sum(1 for error in self.doubts.values() if not (self.thorough and error.denied))
        return not self.answers and doubts >= self.trials


class Describer:
    """Runs `workers` describes concurrently, and passes the results of each batch to `publish`.

    While other jobs can be read, a failure concerns its job only: the job is refused, and retried with backoff apart
    from the others (`retry`), so that it does not delay them. When no job can be read, the target fails. A job whose
    response was merely bad, such as a 5xx, keeps its regular turn, even if all responses are bad and the target fails.
    """

    def __init__(
        self,
        name: str,
        api: Api,
        tracker: Tracker,
        intake: Intake,
        health: Health,
        clock: Clock,
        workers: int,
        publish: Callable[[Updates], Awaitable[None]],
    ) -> None:
        self._name, self._api, self._tracker, self._intake = name, api, tracker, intake
        self._health, self._clock, self._workers, self._publish = health, clock, workers, publish
        self._tagger = Tagger(name, api, intake, health, clock, 10 * tracker.pace.active_interval)
        self._failed = False
        self._readable: deque[str] = deque(maxlen=_PROBES)
        # The jobs with bad responses since the last good one, and the first error of each.
        self._bad: dict[str, ApiError] = {}
        # The jobs whose failure was logged: it is logged once until they can be read again.
        self._said: set[str] = set()

    async def read(self, names: Sequence[str], thorough: bool = False) -> None:
        """Describe these jobs.

        A failure of the target ends the round: the remaining jobs would fail too, and are postponed to their next
        turn. A `thorough` round tries every job before it concludes that the target is denied.
        """
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            # After a failed round a single call tests whether the target works again: many calls that hang would use
            # up the slots that all targets share.
            round_ = _Round(iter(batch), 1 if self._failed else _TRIALS, thorough)
            await self._describe_all(round_, 1 if self._failed else min(self._workers, len(batch)))
            if not round_.answers and not round_.failure:
                await self._decide(round_)
            self._conclude(round_)
            await self._publish(round_.updates)
            if round_.failure and not (thorough and round_.failure.denied):
                at = self._clock.monotonic()
                for name in (*round_.queue, *names[start + _BATCH :]):
                    self._tracker.postpone(name, at)
                return

    async def retry(self, names: Sequence[str]) -> None:
        """Describe refused jobs, one at a time. If the whole target fails, the first one tests it: it may be the only
        one that can be read by now."""
        for name in names:
            updates = Updates.none()
            try:
                await self._describe(name, updates)
                self._answered(name)
                self._failed = False
                self._health.succeeded("reading")
            except ApiError as error:
                if self._health.fails("reading") or not (error.isolated or _may_be_of_the_job(error)):
                    self._health.noticed(error)
                    self._tracker.postpone(name, self._clock.monotonic())
                    return
                self._refuse(name, error)
            await self._publish(updates)

    def resync(self) -> None:
        """Retry denied tags: a policy may have changed. Discard the names of jobs that are not refused any more."""
        self._tagger.resync()
        self._said = {name for name in self._said if (tracked := self._tracker.get(name)) and tracked.refused}

    async def _describe_all(self, round_: _Round, workers: int) -> None:
        await asyncio.gather(*(self._work(round_) for _ in range(workers)))

    async def _work(self, round_: _Round) -> None:
        for name in round_.queue:
            try:
                await self._describe(name, round_.updates)
                round_.answers += 1
                self._answered(name)
            except ApiError as error:
                self._tracker.postpone(name, self._clock.monotonic())
                self._health.noticed(error)
                if _may_be_of_the_job(error):
                    round_.doubts[name] = error
                elif error.isolated:
                    self._bad.setdefault(name, error)
                else:
                    round_.failure = error
            if round_.is_over:
                return

    def _answered(self, name: str) -> None:
        self._readable.append(name)
        self._bad.clear()

    async def _decide(self, round_: _Round) -> None:
        """Decide, after a round without a response, whether the target fails: describe jobs that could be read before.
        If one of them responds, the failures concern the jobs themselves."""
        if round_.doubts:
            if self._failed or not await self._answers_a_probe(round_):
                round_.failure = next(iter(round_.doubts.values()))
                return
            round_.answers += 1
            await self._describe_all(round_, self._workers)
        elif self._only_bad() and not self._health.fails("reading") and await self._answers_a_probe(round_):
            round_.answers += 1
            self._bad.clear()

    async def _answers_a_probe(self, round_: _Round) -> bool:
        for name in self._probes(round_):
            try:
                await self._api.describe(name)
            except ApiError as error:
                # This may concern this job or response alone; any other failure would hit the next probe too.
                if error.denied or error.isolated:
                    continue
                return False
            return True
        return False

    def _probes(self, round_: _Round) -> list[str]:
        """Return the jobs that were described most recently, latest first."""
        failing = {*round_.doubts, *self._bad}
        readable = (self._tracker.get(name) for name in reversed(self._readable))
        return [f.job.name for f in readable if f and not f.refused and f.job.name not in failing]

    def _only_bad(self) -> bool:
        """Return whether all responses since the last good one were bad, for enough jobs to blame the target.

        Enough are `_TRIALS` jobs, or all jobs that are due soon.
        """
        # A sweep may have read one of them in the meantime.
        self._bad = {name: error for name, error in self._bad.items() if self._has_turn(name)}
        if not self._bad or len(self._bad) >= _TRIALS:
            return bool(self._bad)
        # The next turn is at most one and a half intervals away, except for jobs that only wait for their bill.
        soon = self._clock.monotonic() + 1.5 * self._tracker.pace.active_interval
        return all(f.refused or f.due > soon or f.job.name in self._bad for f in self._tracker.jobs())

    def _has_turn(self, name: str) -> bool:
        tracked = self._tracker.get(name)
        return tracked is not None and tracked.due < math.inf

    def _conclude(self, round_: _Round) -> None:
        self._failed = round_.failure is not None
        if round_.failure:
            self._health.failed("reading", round_.failure)
            return
        if round_.answers:
            self._health.succeeded("reading")
        elif self._only_bad():
            self._health.failed("reading", next(iter(self._bad.values())))
        for name, error in round_.doubts.items():
            self._refuse(name, error)

    def _refuse(self, name: str, error: ApiError) -> None:
        times = self._tracker.refuse(name, self._clock.monotonic())
        if name not in self._said and (error.denied or times >= _PERSISTENT):
            self._said.add(name)
            _log.warning("a job cannot be read; retrying less often", target=self._name, job=name[:100], **error.fields)
        others = len(self._said - {name})
        self._health.noticed(error, f" (job {name:.100}{f' and {others} more' if others else ''})")

    async def _describe(self, name: str, updates: Updates) -> None:
        self._tracker.trying(name, self._clock.monotonic())
        answer = await self._api.describe(name)
        if answer is None:
            self._intake.gone(name, updates)
            return
        job = self._intake.parse(answer)
        if job is None or job.name != name:
            raise self._health.calls.refused(DESCRIBE, "InvalidResponse")
        if name in self._said:
            self._said.discard(name)
            _log.info("a job can be read again", target=self._name, job=name[:100])
        job = await self._tagger.tagged(job)
        # A job that has ended but lacks its tags cannot be counted yet: it is retried with backoff like a refused one.
        waits = job.terminal and self._tagger.waits_for(name)
        if not waits:
            self._tracker.accept(name)
        at = self._clock.monotonic()
        self._intake.described(job, self._api.now(), at, updates, doubtful=self._api.doubts_now())
        if waits:
            self._tracker.refuse(name, at)


def _may_be_of_the_job(error: ApiError) -> bool:
    """Return whether a failure may concern one job only."""
    # A describe also fails when its role cannot be assumed; the operation is then another, and so is the cause.
    return error.ambiguous and error.operation == DESCRIBE
