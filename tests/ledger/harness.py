"""Run an exporter on a state file that polls a schedule of jobs through failures and kills, while people delete jobs.

The seed determines everything.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import sqlite3
from functools import partial
from pathlib import Path

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import NO_MARKS, LedgerUpdate, StoreError, Target, TargetMarks, Totals
from exporter.polling.poller import Poller
from tests.ledger.books import TARGET, Disk, damage_log
from tests.ledger.fates import Fate, KilledError
from tests.ledger.inspection import Inspection, records_in
from tests.ledger.runs import Run
from tests.ledger.watched import Watched
from tests.virtual_time import LoopClock, VirtualLoop


class Harness(Run):
    """Run one seed. `path` is the state file; after each kill it is a copy of what the killed process left."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, [TARGET])
        (self._scene,) = self.scenes
        self._folder, self._graves = folder, 0
        self._ruin = random.Random(f"ruin {seed}")
        folder.mkdir(exist_ok=True)
        self.path = folder / "state.db"
        self._ledger: Ledger | None = None
        self._disk_fails_until, self._outdated = -math.inf, list[str]()

    def run(self) -> None:
        super().run()
        assert not self._outdated
        # A list whose tokens repeat may fail for all of that time, and then the number is unknown.
        assert self.board.unbilled == 0 or (self.board.unbilled is None and self._scene.client.odd.repeated_tokens)

    def totals_of(self, target: Target) -> Totals:
        return self._ledger.totals(target) if self._ledger else {}

    def marks_of(self, target: Target) -> TargetMarks:
        return self._ledger.marks(target) if self._ledger else NO_MARKS

    def right(self) -> bool:
        return self.time.now > self._disk_fails_until and super().right()

    def calm_down(self) -> None:
        super().calm_down()
        self._disk_fails_until = -math.inf

    def live(self, fate: Fate) -> None:
        self._scene.market.opens()
        loop = partial(VirtualLoop, self.time, partial(self._turn, fate), self.chance)
        with asyncio.Runner(loop_factory=loop) as runner:
            try:
                runner.run(self._exporter(fate))
            except KilledError:
                self.history.append("killed")
            finally:
                fate.over = True
        self._scene.market.look_at(records_in(self.path))
        assert not self._scene.market.wrong, self._scene.market.wrong
        if self.calm and self.history[-1] == "refused":
            self.live(fate)

    async def _exporter(self, fate: Fate) -> None:
        clock, disk = LoopClock(), Disk()
        disk.watch = lambda _: self._moment(fate, disk.doing)
        try:
            opened = partial(SqliteStore, str(self.path), connect=disk.connect)
            self._written = Inspection(opened, partial(self._committed, fate))
            async with Ledger(self._written.open, clock.time, self.setting.backfill, self._scene.market.rate) as ledger:
                self._ledger = ledger
                self._scene.market.look_at(records_in(self.path))
                self._scene.first_start = self._scene.first_start or self._written.store.first_start
                assert self._written.store.first_start == self._scene.first_start
                poller = self._poller(ledger, clock)
                around = [
                    asyncio.create_task(poller.run()),
                    asyncio.create_task(self._scene.market.tell(poller)),
                    asyncio.create_task(
                        self._scene.people.interfere(self._written, partial(self._shows_what_is_written, ledger))
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
            await asyncio.sleep(self.late.uniform(0, 100))
            self.time.passed += fate.asleep
        if self.calm and self._ruin.random() < 0.5:
            # An outage that no restart follows, from the beginning or later.
            await asyncio.sleep(self._ruin.choice((0.0, self._ruin.uniform(5, 20))))
            self._disk_fails_until = self.time.now + self._ruin.uniform(0, 100)
        await asyncio.sleep(fate.at - self.time.now if not self.calm else 0.0)
        if fate.turns or fate.moments:
            await asyncio.sleep(200.0)
        while self.calm and self.time.now < fate.at and (fate.whole or not self._is_right()):
            await asyncio.sleep(30.0)

    def _is_right(self) -> bool:
        self._outdated = self.board.outdated(self._written.record)
        return self.right() and not self._outdated

    def _poller(self, ledger: Ledger, clock: LoopClock) -> Poller:
        scene = self._scene
        self.board = Watched(scene.jobs, self.time, scene.unfinished, scene.market)
        return scene.poller(ledger, clock, self.board, scene.client)

    def _turn(self, fate: Fate, busy: bool) -> None:
        """Run before each turn of the loop."""
        if fate.over:
            return
        self._scene.look_at(self.totals_of(TARGET))
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
        likeliness = 0 if self.calm else 10 if statement == "COMMIT" else 1
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
        self._scene.market.committed(update, certain and not fate.dead)

    def _shows_what_is_written(self, ledger: Ledger) -> None:
        """Check that the shown totals are those in the store, unless a write is pending or has failed."""
        if not ledger.pending and not ledger.last_error:
            assert self._written.totals(TARGET) in (None, ledger.totals(TARGET))
