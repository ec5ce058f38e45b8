"""Seeded schedules of jobs, polled through failing calls, restarts and disk errors: in the end the totals are exact."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import le
from pathlib import Path
from typing import Any

import pytest

from exporter.api import DESCRIBE, LIST, Answer, ApiError, Calls, CreatedBetween, JobPage
from exporter.catalogue.fleet import FleetCounts
from exporter.contributions import SeriesKey
from exporter.fleet import Fleet, Pace
from exporter.health import Health
from exporter.job import TrainingJob
from exporter.ledger import Ledger
from exporter.parsing import Allowlist
from exporter.poller import Poller, Schedule
from exporter.reader import Reader
from exporter.simulator import answers, generator, truth
from exporter.simulator.life import Life
from exporter.store import Target
from tests.ledger.books import START, TARGET, Disk

_CODES = ("ThrottlingException", "500", "ServiceUnavailable", "Timeout", "ConnectionError", "InvalidResponse")
_SCHEDULE = Schedule(60.0, 30.0, 3600.0, 30 * 86400.0, search=False, workers=4)
_PAGE = 7
_High = dict[SeriesKey, tuple[int, ...]]

# `make soak SEEDS=n` or `make soak SEED=n`; these tests are left out otherwise.
_ONE = os.environ.get("SOAK_SEED")
_SEEDS = [int(_ONE)] if _ONE else range(int(os.environ.get("SOAK_SEEDS") or 1))


class _Clock:
    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - START

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class _Api:
    """Answers of the simulator, or failures at random."""

    def __init__(self, lives: Sequence[Life], clock: _Clock, chance: random.Random) -> None:
        self._lives, self._clock, self._chance = lives, clock, chance
        self.faulty = 0.2

    def _fail_at_random(self, operation: str) -> None:
        if self._chance.random() < self.faulty:
            raise ApiError(operation, self._chance.choice(_CODES))

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        self._fail_at_random(LIST)
        first, last = span.after or 0.0, min(span.before or math.inf, self.now())
        found = [life for life in self._lives if first < life.created <= last]
        found.sort(key=lambda life: -life.created)
        start = int(token or 0)
        page = [answers.summary(life, self.now()) for life in found[start : start + _PAGE]]
        return JobPage(page, str(start + _PAGE) if start + _PAGE < len(found) else None)

    async def search_active(self, token: str | None) -> JobPage:
        raise AssertionError("not with this strategy")

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        raise AssertionError("not with this strategy")

    async def describe(self, name: str) -> Answer | None:
        self._fail_at_random(DESCRIBE)
        return next((answers.describe(life, self.now()) for life in self._lives if life.name == name), None)

    async def tags(self, arn: str) -> list[Answer]:
        return []

    def now(self) -> float:
        return self._clock.time()


class _Nowhere:
    """A board nobody looks at."""

    def job(self, job: TrainingJob) -> None: ...

    def gone(self, target: Target, name: str) -> None: ...

    def target(self, target: Target, counts: FleetCounts, health: Health, jobs: int) -> None: ...


def _lives(seed: int) -> list[Life]:
    """Jobs of every shape that end within hours and that nobody deletes: what is deleted between two polls is lost."""
    plan = generator.Plan(jobs=12, pace=generator.DEMO_PACE, history=0.0)
    fleet = generator.Fleet(plan, seed, START, *TARGET)
    made = [life for life in fleet.until(START + 1200) if life.created > START]
    return [life for life in made if life.deleted == math.inf and life.end < START + 7200]


def _poller(api: _Api, ledger: Ledger, clock: _Clock) -> Poller:
    fleet = Fleet(Pace(30.0, 120.0, 600.0))
    health = Health("/".join(TARGET), Calls(), clock.time)
    reader = Reader(*TARGET, Allowlist(), fleet, health)
    return Poller(TARGET, api, _SCHEDULE, fleet, reader, ledger, _Nowhere(), health, clock)


async def _poll(poller: Poller, clock: _Clock) -> None:
    await poller.discover()
    if names := poller.fleet.due(clock.monotonic()):
        await poller._read(names)
    for name in poller.fleet.expired(clock.time()):
        poller.fleet.drop(name)


def _by_label(ledger: Ledger, family: str, *at: int) -> dict[object, float]:
    """The values of a counter that are not 0, by the labels at these places."""
    found: dict[object, float] = {}
    for key, series in ledger.totals(TARGET).items():
        if key.family == f"sagemaker_training_{family}_total" and any(series.true):
            labels = tuple(key.labels[place] for place in at)
            found[labels[0] if len(labels) == 1 else labels] = series.true[0] / 1000
    return found


def _nonzero(counts: Mapping[Any, int]) -> dict[object, float]:
    return {key: float(value) for key, value in counts.items() if value}


def _assert_exact(ledger: Ledger, lives: Sequence[Life]) -> None:
    due = truth.total(lives)
    for family, counts in (
        ("jobs_finished", due.finished),
        ("jobs_failed", due.failed),
        ("seconds", due.seconds),
        ("billable_seconds", due.billable_seconds),
        ("warm_pool_retained_billable_instance_seconds", due.retained_instance_seconds),
    ):
        assert _by_label(ledger, family, 0) == _nonzero(counts), family
    for family, pairs in (
        ("instance_seconds", due.instance_seconds),
        ("billable_instance_seconds", due.billable_instance_seconds),
    ):
        assert _by_label(ledger, family, 0, 1) == _nonzero(pairs), family
    for family, count in (
        ("jobs_created", due.created),
        ("spot_interruptions", due.interruptions),
        ("warm_pool_retained_billable_seconds", due.retained_seconds),
        ("warm_pool_reuses", due.reuses),
    ):
        assert _by_label(ledger, family) == _nonzero({(): count}), family


class _KilledError(Exception):
    """Leaves a ledger without what it does at an orderly end."""


async def _run(path: Path, api: _Api, clock: _Clock, chance: random.Random, over: float, high: _High) -> None:
    """One life of the exporter, from start to kill or orderly end."""
    disk = Disk()
    async with Ledger(str(path), clock.time, connect=disk.connect) as ledger:
        poller = _poller(api, ledger, clock)
        await poller._begin()
        for _ in range(chance.randint(1, 60)):
            api.faulty = 0.2 if clock.now < over else 0.0
            disk.broken = clock.now < over and chance.random() < 0.1
            await _poll(poller, clock)
            for key, series in ledger.totals(TARGET).items():
                assert all(map(le, high.get(key, series.shown), series.shown)), key
                high[key] = series.shown
            await clock.sleep(chance.uniform(5, 45))
        disk.broken = False
        if chance.random() < 0.5:
            raise _KilledError


@pytest.mark.parametrize("seed", range(24))
async def test_totals_equal_the_schedule_after_any_history_of_failures(seed: int, tmp_path: Path) -> None:
    await _soaked(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", _SEEDS)
async def test_totals_equal_the_schedule_on_many_more_seeds(seed: int, tmp_path: Path) -> None:
    await _soaked(seed, tmp_path)


async def _soaked(seed: int, tmp_path: Path) -> None:
    chance, clock, lives, path = random.Random(seed), _Clock(), _lives(seed), tmp_path / "state.db"
    assert len(lives) > 10
    api, high = _Api(lives, clock, chance), _High()
    over = max(life.end + (life.pool.released_after if life.pool else 0.0) for life in lives) + 1800
    while clock.now < over + 4000:
        with suppress(_KilledError):
            await _run(path, api, clock, chance, over, high)
        # A downtime, at times a long one.
        await clock.sleep(chance.choice([1.0, 60.0, 900.0]))
    async with Ledger(str(path), clock.time) as ledger:
        _assert_exact(ledger, lives)
