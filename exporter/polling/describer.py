"""Describes the jobs of one target by name, some at a time."""

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
_BATCH = 25
# So many jobs are tried, when none can be read, before the target is at fault.
_TRIALS = 10
# So many jobs that could be read before are asked for then.
_PROBES = 5
# What is no denial may pass: only the third failure in a row is worth a line in the log.
_PERSISTENT = 3


@dataclass(slots=True)
class _Round:
    """What a batch brought. A failure that may be a job's own is in `doubts`, until an answer or the lack of one tells
    whose it is; `failure` is the target's. `trials` may be in doubt before an answer."""

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
        doubts = sum(1 for error in self.doubts.values() if not (self.thorough and error.denied))
        return not self.answers and doubts >= self.trials


class Describer:
    """`workers` describes run at a time; what a batch of them brought goes to `publish`.

    A failure of one job is its own while others can be read: it is refused, and tried again less and less often apart
    from the others (`retry`), so that it does not hold them up. When no job can be read, the target fails. A bad answer
    alone, such as a 5xx, leaves its job its turn, also when all answers are bad and the target fails for it."""

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
        # The jobs whose answers were bad since the last good one, and the first error of each.
        self._bad: dict[str, ApiError] = {}
        self._said: set[str] = set()

    async def read(self, names: Sequence[str], thorough: bool = False) -> None:
        """Describe these jobs. What makes the whole target fail ends the round: the rest would fail too, and wait
        for it. A `thorough` round tries every job before it believes that all are denied."""
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            # Where the last round failed, one call finds out whether this one would: many that hang would hold what
            # all targets share.
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
        """Describe jobs that were refused, one at a time."""
        for name in names:
            if self._health.fails("reading"):
                return
            updates = Updates.none()
            try:
                await self._describe(name, updates)
                self._bad.clear()
            except ApiError as error:
                if not (error.isolated or _may_be_of_the_job(error)):
                    self._health.noticed(error)
                    self._tracker.postpone(name, self._clock.monotonic())
                    return
                self._refuse(name, error)
            await self._publish(updates)

    def resync(self) -> None:
        """Try again what was denied: a policy may have changed."""
        self._tagger.resync()
        self._said = {name for name in self._said if (tracked := self._tracker.get(name)) and tracked.refused}

    async def _describe_all(self, round_: _Round, workers: int) -> None:
        await asyncio.gather(*(self._work(round_) for _ in range(workers)))

    async def _work(self, round_: _Round) -> None:
        for name in round_.queue:
            try:
                await self._describe(name, round_.updates)
                round_.answers += 1
                self._readable.append(name)
                self._bad.clear()
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

    async def _decide(self, round_: _Round) -> None:
        """Nothing could be read: is it the target? Jobs that could be read before tell."""
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
                if error.denied or error.isolated:
                    continue
                return False
            return True
        return False

    def _probes(self, round_: _Round) -> list[str]:
        """Jobs that were described lately, the last one first."""
        failing = {*round_.doubts, *self._bad}
        readable = (self._tracker.get(name) for name in reversed(self._readable))
        return [f.job.name for f in readable if f and not f.refused and f.job.name not in failing]

    def _only_bad(self) -> bool:
        """Whether as many jobs as tell, or all that have their turn soon, got bad answers since the last good one."""
        # A sweep may have read one of them meanwhile.
        self._bad = {name: error for name, error in self._bad.items() if self._has_turn(name)}
        if not self._bad or len(self._bad) >= _TRIALS:
            return bool(self._bad)
        # A turn is at most one and a half intervals away, but for jobs that only wait for a bill.
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
        # A job that has ended and whose tags are denied is read only to be counted some day.
        waits = job.terminal and self._tagger.waits_for(name)
        if not waits:
            self._tracker.accept(name)
        at = self._clock.monotonic()
        self._intake.described(job, self._api.now(), at, updates, doubtful=self._api.doubts_now())
        if waits:
            self._tracker.refuse(name, at)


def _may_be_of_the_job(error: ApiError) -> bool:
    """A role that may not be assumed fails a describe, too, and is no job's matter."""
    return error.ambiguous and error.operation == DESCRIBE
