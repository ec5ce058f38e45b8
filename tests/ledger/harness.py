"""Run a schedule of jobs, an exporter that polls it through failures and kills, and people who delete jobs meanwhile.

The seed determines everything.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import sqlite3
from collections.abc import Mapping
from functools import partial
from operator import le
from pathlib import Path

from exporter.aws import client as aws
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SageMaker, rate_limits
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts, Series, SeriesKey
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import LedgerUpdate, StoreError
from exporter.polling.api import Calls
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.poller import Poller
from exporter.polling.settings import PollerSettings
from exporter.simulator.life import Life
from exporter.simulator.store import Jobs
from exporter.training.parsing import Allowlist
from tests.ledger.bills import has_corrections, moments
from tests.ledger.books import DAY, START, TARGET, Disk, damage_log
from tests.ledger.fates import Fate, KilledError, Oddities, Setting
from tests.ledger.inspection import Inspection
from tests.ledger.market import CALM_FROM, Market
from tests.ledger.people import People
from tests.ledger.schedule import Schedule
from tests.ledger.troubles import Client
from tests.ledger.verdict import UNPRICED, expected, exposed, shown, to_be_exposed
from tests.ledger.watched import Watched
from tests.virtual_time import LoopClock, Time, VirtualLoop

_HOUR = 3600.0
_PATIENCE = 1.5 * _HOUR
# Less than a resync interval.
_FRESH = 500.0
_CREATED = "sagemaker_training_jobs_created_total"
# How long into the calm some jobs are denied.
_DENIED_ON = 600.0
_LIMITS = rate_limits(5.0, 50.0, 5.0, 20, 2.0)
# These are never ahead of the bill.
_WITH_THE_BILL = ("sagemaker_training_seconds_total", "sagemaker_training_instance_seconds_total")


class Harness:
    """Run one seed. `path` is the state file; after each kill it is a copy of what the killed process left."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance, self._folder, self._graves = random.Random(seed), folder, 0
        self._ruin = random.Random(f"ruin {seed}")
        self.setting = Setting.drawn(self.chance)
        folder.mkdir(exist_ok=True)
        self.path = folder / "state.db"
        self.time, self.jobs = Time(START), Jobs()
        self._schedule = Schedule(seed, self.chance, self.jobs)
        self._market = Market(seed, self.time)
        self._people = People(self.time, self.jobs, self.chance, self._schedule)
        self.client = Client(TARGET, self.jobs, self.time, self.chance, self.setting.consistency)
        self.client.denied = self.setting.denied
        self.client.odd, self.client.odd_chance = Oddities.drawn(seed), random.Random(f"odd answers {seed}")
        self._high: dict[SeriesKey, Amounts] = {}
        self._seen: Mapping[SeriesKey, Series] = {}
        self._trained: dict[SeriesKey, Amounts] = {}
        self._ledger: Ledger | None = None
        self._first_start, self._seed = 0.0, seed
        self._disk_fails_until, self._calm = -math.inf, False
        self.history, self.unfinished, self._outdated = list[str](), list[str](), list[str]()

    def run(self) -> None:
        """Run the schedule. Raises AssertionError if a total goes down, or differs from the schedule at the end."""
        random.seed(self._seed)
        self._schedule.add(START, 600.0, history=self.chance.choice((0.0, 400.0)))
        long = self.chance.choice((0.0, 0.0, 6 * _HOUR, 40 * DAY))
        while self.time.now < self._schedule.all_over() + 300:
            self._live(Fate.drawn(self.time.now, self.chance))
            self.time.passed += self.chance.choice((1.0, 20.0, 200.0))
            awaited = has_corrections(self.jobs.all(), self.time.now)
            if long and not awaited and self._knows_its_jobs() and self.chance.random() < 0.3:
                # Jobs that begin and end meanwhile, and others that still run afterwards.
                self._schedule.add(self.time.now + long / 2, 100.0)
                self.time.passed += long
                self._schedule.add(self.time.now, 200.0, history=100.0)
                long = 0.0
        self._wait_for_bills()
        self._calm, self._people.calm, self._disk_fails_until = True, True, -math.inf
        self.client.allowed_from = self.time.now + _DENIED_ON
        self._live(Fate(self.time.now + _PATIENCE))
        assert self.totals() == self.due()
        assert not self._outdated
        self.time.passed += max(0.0, self.client.allowed_from - self.time.now)
        # Reading everything again must count nothing again.
        self._live(Fate(self.time.now + 500.0, whole=True))
        assert self.totals() == self.due()
        assert self._ledger is not None
        assert exposed(self._ledger.totals(TARGET), self.setting.by_tags) == to_be_exposed(self.due())
        # A list whose tokens repeat may fail for all of that time, and then the number is unknown.
        assert self.board.unbilled == 0 or (self.board.unbilled is None and self.client.odd.repeated_tokens)
        assert not self.unfinished
        self._finds_new_jobs()

    def _finds_new_jobs(self) -> None:
        """Check that new jobs are found by walks alone, because a later resync would hide a wrong time."""
        self._schedule.add_after_one_from_the_future(self.time.now)
        self._live(Fate(self.time.now + _FRESH, whole=True))
        found, due = ({k: v for k, v in of.items() if k.family == _CREATED} for of in (self.totals(), self.due()))
        assert found == due, "new jobs are hidden"

    def _wait_for_bills(self) -> None:
        """Run the exporter at some of the times when a bill comes or is given up, and skip the others."""
        for _ in range(self._schedule.late.randint(0, 4)):
            if not (later := list(moments(self.jobs.all(), self.time.now))):
                break
            wait = max(0.0, self._schedule.late.choice(later) - self._schedule.late.uniform(0, 300) - self.time.now)
            asleep = wait if self._schedule.late.random() < 0.3 else 0.0
            self.time.passed += wait - asleep
            fate = Fate.drawn(self.time.now + asleep, self._schedule.late)
            fate.asleep = asleep
            self._live(fate)
            self.time.passed += self._schedule.late.choice((1.0, 20.0, 200.0))
        over = max(self.time.now, CALM_FROM, self._schedule.all_over(), *moments(self.jobs.all(), self.time.now))
        self.time.passed += over + 1.0 - self.time.now

    def _knows_its_jobs(self) -> bool:
        """Return whether the exporter has seen a whole list; if not, it looks back only as far as `lookback`."""
        return self._ledger is not None and self._ledger.marks(TARGET).discovered_until > 0

    def _due_by(self, now: float = math.inf) -> dict[SeriesKey, Amounts]:
        """Return what must be counted by now or at the end, without costs."""
        return expected(self._counted(), self.setting.by_tags, now)

    def due(self) -> dict[SeriesKey, Amounts]:
        """Return everything that must be counted at the end."""
        return self._due_by() | self._market.due(self._counted(), self.setting.by_tags)

    def totals(self) -> dict[SeriesKey, Amounts]:
        assert self._ledger is not None
        return shown(self._ledger.totals(TARGET))

    def _counted(self) -> list[Life]:
        baseline = self._first_start - self.setting.backfill
        return [one for one in self.jobs.all() if one.end >= baseline]

    def _live(self, fate: Fate) -> None:
        """Run one life of the exporter."""
        self.client.faulty = 0.0 if self._calm else self.setting.faulty
        self._market.opens()

        loop = partial(VirtualLoop, self.time, partial(self._turn, fate), self.chance)
        with asyncio.Runner(loop_factory=loop) as runner:
            try:
                runner.run(self._exporter(fate))
            except KilledError:
                self.history.append("killed")
            finally:
                fate.over = True
        self._market.look_at(self.path)
        assert not self._market.wrong, self._market.wrong
        if self._calm and self.history[-1] == "refused":
            self._live(fate)

    async def _exporter(self, fate: Fate) -> None:
        clock, disk = LoopClock(), Disk()
        disk.watch = lambda _: self._moment(fate, disk.doing)
        try:
            opened = partial(SqliteStore, str(self.path), connect=disk.connect)
            self._written = Inspection(opened, partial(self._committed, fate))
            async with Ledger(self._written.open, clock.time, self.setting.backfill, self._market.rate) as ledger:
                self._ledger = ledger
                self._market.look_at(self.path)
                self._first_start = self._first_start or self._written.store.first_start
                assert self._written.store.first_start == self._first_start
                poller = self._poller(ledger, clock)
                around = [
                    asyncio.create_task(poller.run()),
                    asyncio.create_task(self._market.tell(poller)),
                    asyncio.create_task(
                        self._people.interfere(self._written, partial(self._shows_what_is_written, ledger))
                    ),
                ]
                await self._until(fate)
                for task in around:
                    task.cancel()
                for outcome in await asyncio.gather(*around, return_exceptions=True):
                    if isinstance(outcome, Exception):
                        raise outcome
                self._shows_what_is_written(ledger)
            self.history.append("ended")
        except StoreError as error:
            # A supervisor restarts the process, and an operator follows the error message.
            self.history.append("refused")
            if "is damaged" in str(error):
                self.path.with_name("state.db-wal").unlink()

    async def _until(self, fate: Fate) -> None:
        """Wait until this life ends: at the time of its fate, or if all is calm, once the totals are right."""
        if fate.asleep:
            await asyncio.sleep(self._schedule.late.uniform(0, 100))
            self.time.passed += fate.asleep
        if self._calm and self._ruin.random() < 0.5:
            # An outage that no restart follows, from the beginning or later.
            await asyncio.sleep(self._ruin.choice((0.0, self._ruin.uniform(5, 20))))
            self._disk_fails_until = self.time.now + self._ruin.uniform(0, 100)
        await asyncio.sleep(fate.at - self.time.now if not self._calm else 0.0)
        if fate.turns or fate.moments:
            await asyncio.sleep(200.0)
        while self._calm and self.time.now < fate.at and (fate.whole or not self._is_right()):
            await asyncio.sleep(30.0)

    def _is_right(self) -> bool:
        self._outdated = self.board.outdated(self._written.record)
        return self.time.now > self._disk_fails_until and self.totals() == self.due() and not self._outdated

    def _poller(self, ledger: Ledger, clock: LoopClock) -> Poller:
        calls = Calls()
        api = SageMaker(aws.Client(self.client, calls, RateLimiters(_LIMITS, clock), aws.InFlight(20, 20), clock))
        settings = PollerSettings(
            settle=60.0,
            retention=300.0,
            resync_interval=600.0,
            search=self.setting.search,
            workers=4,
            allowlist=Allowlist(cost_tags=self.setting.by_tags),
        )
        self.board = Watched(self.jobs, self.time, self.unfinished, self._market)
        return assemble(TARGET, api, settings, ledger, self.board, Health("/".join(TARGET), calls, clock.time), clock)

    def _turn(self, fate: Fate, busy: bool) -> None:
        """Run before each turn of the loop."""
        if fate.over:
            return
        self._never_lower()
        if busy and fate.turns is not None and self.time.now >= fate.at:
            fate.turns -= 1
            if fate.turns <= 0:
                self._bury(fate)
        if fate.dead:
            raise KilledError

    def _moment(self, fate: Fate, statement: str) -> None:
        """Run before and after each statement."""
        if fate.dead or fate.over:
            return
        if fate.moments is not None and self.time.now >= fate.at:
            fate.moments -= 1
            if fate.moments <= 0:
                self._bury(fate)
        # After a COMMIT it is unknown whether it succeeded. This worst case is drawn most often.
        likeliness = 0 if self._calm else 10 if statement == "COMMIT" else 1
        if self.chance.random() < self.setting.disk_faulty * likeliness:
            self._disk_fails_until = self.time.now + self.chance.choice((0.0, 5.0, 100.0))
        if self.time.now <= self._disk_fails_until:
            raise sqlite3.OperationalError(self.chance.choice(("database or disk is full", "disk I/O error")))

    def _bury(self, fate: Fate) -> None:
        """Continue with what the killed process left on the disk."""
        fate.dead = True
        self._graves += 1
        grave = self._folder / f"killed-{self._graves}"
        grave.mkdir()
        for file in self.path.parent.glob("state.db*"):
            shutil.copy(file, grave)
        self.path = grave / self.path.name
        # Totals must survive, since they are shown only once the file has them too. A generator of its own keeps the
        # history of a seed the same with and without damage.
        if self._ruin.random() < 0.3 and damage_log(self.path, self._ruin):
            self.history.append("damaged")

    def _committed(self, fate: Fate, update: LedgerUpdate, certain: bool) -> None:
        self._market.committed(update, certain and not fate.dead)

    def _shows_what_is_written(self, ledger: Ledger) -> None:
        """Check that the shown totals are those in the store, unless a write is pending or has failed."""
        if not ledger.pending and not ledger.last_error:
            assert self._written.totals(TARGET) in (None, ledger.totals(TARGET))

    def _never_lower(self) -> None:
        totals = self._ledger.totals(TARGET) if self._ledger else {}
        if totals is self._seen:
            return
        self._seen = totals
        for key, series in totals.items():
            if key.family == UNPRICED:
                continue
            assert all(map(le, self._high.get(key, series.shown), series.shown)), key
            self._high[key] = series.shown
        trained = {key: series.shown for key, series in totals.items() if key.family in _WITH_THE_BILL}
        if self._schedule.has_late_bills and trained != self._trained:
            self._trained, due = trained, self._due_by(self.time.now)
            assert all(shown <= due.get(key, (0,)) for key, shown in trained.items()), "ahead of the bill"
