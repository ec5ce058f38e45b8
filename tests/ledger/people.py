"""Simulate people who delete jobs while the exporter runs, reuse their names, and set the machine's clock.

A job is deleted only when the state file has all of it, because AWS does not report what happened to a deleted job
after its last reading, and the totals could not contain it.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from exporter.ledger.store import JobRecord, Target
from exporter.simulator import answers, life
from exporter.simulator.errors import ApiError
from exporter.simulator.life import Life
from exporter.simulator.store import Jobs
from exporter.training.facts import FINAL, NO_BILL, Facts
from exporter.training.job import Identity
from exporter.training.parsing import Allowlist, parse
from tests.ledger.bills import so_far
from tests.ledger.books import DAY, START
from tests.ledger.schedule import Schedule
from tests.virtual_time import Time

_HOUR = 3600.0
_AFTER_EVERYTHING = START + 1000 * DAY
_STEPS_OF_THE_CLOCK = (0.0, 2 * _HOUR, -2 * _HOUR, -DAY, 2 * DAY, 200 * DAY)


class Written(Protocol):
    """Reads what an exporter has committed."""

    def record(self, identity: Identity) -> JobRecord | None: ...


class People:
    """Delete jobs and set the clock until all is `calm`."""

    def __init__(self, time: Time, jobs: Jobs, chance: random.Random, schedule: Schedule, target: Target) -> None:
        self._time, self._jobs, self._chance, self._schedule, self._target = time, jobs, chance, schedule, target
        self._namesakes = 4
        self.calm = False

    async def interfere(self, written: Written, afterwards: Callable[[], None]) -> None:
        """Delete a job or set the clock at times, depending on what is `written`; call `afterwards` each time."""
        while not self.calm:
            await asyncio.sleep(self._chance.uniform(5, 40))
            if self._chance.random() < 0.1:
                self._time.ahead = self._chance.choice(_STEPS_OF_THE_CLOCK)
            over = [one for one in self._jobs.all() if one.end < self._time.now and one.deleted == math.inf]
            if over and self._knows(written, one := self._chance.choice(over)):
                self._delete(one)
            afterwards()

    def _delete(self, one: Life) -> None:
        try:
            gone = life.delete(one, self._time.now)
        except ApiError:
            # Its warm pool is still there.
            return
        gone = replace(so_far(gone, self._time.now), deleting_seconds=self._chance.choice((0.0, 45.0)))
        self._jobs.replace(one, gone)
        if self._namesakes > 0 and self._chance.random() < 0.5:
            self._namesakes -= 1
            self._schedule.add_namesake(gone)

    def _knows(self, written: Written, one: Life) -> bool:
        """Return whether the state file has all that AWS will ever return about a job that is deleted now."""
        job = parse(answers.describe(so_far(one, self._time.now), _AFTER_EVERYTHING), *self._target, Allowlist())
        assert job is not None
        record = written.record(job.identity)
        return record is not None and _values(record.facts) == _values(Facts.of(job))


def _values(facts: Facts) -> dict[str, Any]:
    return {name: value for name, (_, value) in facts.known.items() if name not in (NO_BILL, FINAL)}
