"""Run replicas that share two targets through failures of the database, suspensions and kills.

The seed determines everything: on the imitated server all of the history, on a real one all that is done to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from exporter.ledger.session import SESSION_TIMEOUT
from exporter.ledger.store import JobRecord, LedgerUpdate, Snapshot, Target, TargetMarks, Totals
from exporter.training.cost import Rate
from exporter.training.job import Identity
from tests.ledger.books import TARGET
from tests.ledger.fates import Fate, KilledError
from tests.ledger.replica import Board, Replica
from tests.ledger.runs import Run
from tests.ledger.scene import Scene
from tests.virtual_time import VirtualLoop

TARGETS = (TARGET, ("444455556666", "us-east-1"))
_MOST = 3
# In seconds: shorter and longer than the time for which a look is valid, and after which a session ends.
_SUSPENSIONS = (3.0, 8.0, 20.0, 30.0)
# The share of moments at which something goes wrong, and of those at a COMMIT.
_FAULTY, _FAULTY_COMMIT = 0.004, 0.04


class Database(Protocol):
    """A server, imitated or real, and what it has committed. `wrong` is what it saw that must not happen."""

    @property
    def wrong(self) -> list[str]: ...

    def connect(self, moment: Callable[[Any, str, bool], None]) -> Callable[..., Any]:
        """Return a function that opens connections, which call `moment` before and after each statement."""

    def first_start(self) -> float:
        """Return when the first replica began to count, 0 before (Unix seconds)."""

    def snapshot(self) -> Snapshot:
        """Return all committed totals and marks."""

    def record(self, identity: Identity) -> JobRecord | None:
        """Return the committed record of a job."""

    def records(self) -> list[JobRecord]:
        """Return all committed records."""

    def expire(self, connection: Any) -> None:
        """End the session of a client that sent nothing for the time of its timeout, unless the server knows itself."""

    def restart(self, seconds: float) -> None:
        """Stop as after a crash, and start again after some seconds."""


class ReplicaHarness(Run):
    """Run one seed on a database."""

    def __init__(self, seed: int, database: Callable[[Any], Database]) -> None:
        super().__init__(seed, TARGETS)
        self._database = database(self.time)
        self._replicas: list[Replica] = []
        # The targets of the configuration with which replicas start and reload.
        self._configured: Sequence[Scene] = self.scenes
        self._background: set[asyncio.Task[None]] = set()
        self._errors = list[Exception]()
        self._unsure = False
        self._over = False

    def totals_of(self, target: Target) -> Totals:
        return self._database.snapshot().totals.get(target, {})

    def marks_of(self, target: Target) -> TargetMarks:
        return self._database.snapshot().marks.get(target, TargetMarks())

    def record(self, identity: Identity) -> JobRecord | None:
        """Return the committed record of a job."""
        return self._database.record(identity)

    def live(self, fate: Fate) -> None:
        self._over = False
        for scene in self.scenes:
            scene.market.opens()
        with asyncio.Runner(loop_factory=partial(VirtualLoop, self.time, chance=self.chance)) as runner:
            try:
                runner.run(self._lives(fate))
            finally:
                for replica in self._replicas:
                    replica.gate.bury()
        self._note_records()

    async def _lives(self, fate: Fate) -> None:
        self._replicas.clear()
        self._background.clear()
        others = [
            asyncio.create_task(self._scrape_at_times()),
            *(asyncio.create_task(scene.people.interfere(self, self._check)) for scene in self.scenes),
        ]
        self._note_records()
        for _ in range(self.chance.randint(_MOST - 1, _MOST)):
            self._start()
            await asyncio.sleep(self.chance.choice((0.0, 0.5, 3.0)))
        if self.calm:
            await self._until_right(fate)
        else:
            await self._trouble(fate)
        for task in (*others, *self._background):
            task.cancel()
        for outcome in await asyncio.gather(*others, *self._background, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome
        await self._end()
        self._check()

    async def _until_right(self, fate: Fate) -> None:
        # The database may have been down when the replicas started: then all of them have ended.
        while self.time.now < fate.at and (fate.whole or not self.right() or all(one.over for one in self._replicas)):
            self._replace_ended()
            await asyncio.sleep(30.0)
        # Whatever happened before: each target is shown by now.
        await asyncio.sleep(30.0)
        self._scrape()
        self._shows_all(self.scenes)

    def _shows_all(self, scenes: Sequence[Scene]) -> None:
        """Check that the replicas show these targets, with their totals, and no others."""
        shown = {target: totals for replica in self._awake() for target, totals in replica.scrape().items()}
        assert set(shown) == {scene.target for scene in scenes}
        for target, totals in shown.items():
            assert totals == self.totals_of(target), "not all of it is shown"

    def _replace_ended(self) -> None:
        if sum(not one.over for one in self._replicas) < 2:
            self._start()

    async def _trouble(self, fate: Fate) -> None:
        while self.time.now < fate.at + 40.0:
            await asyncio.sleep(self.chance.uniform(1.0, 20.0))
            alive = [replica for replica in self._replicas if not replica.over and not replica.gate.closed]
            if alive:
                self._disturb(self.chance.choice(alive), fate)
            if len(alive) < self.chance.randint(_MOST - 1, _MOST):
                self._start()

    def _disturb(self, replica: Replica, fate: Fate) -> None:
        chance = self.chance
        disturbances: tuple[Callable[[], object], ...] = (
            lambda: setattr(replica, "dies_in", chance.randint(1, 40)),
            lambda: self._kill(replica),
            lambda: self._suspend(replica, chance.choice(_SUSPENSIONS)),
            lambda: self._suspend(replica, chance.choice(_SUSPENSIONS)),
            lambda: self._aside(replica.stop()),
            lambda: self._aside(replica.reload(chance.uniform(1.0, 20.0), self._configured)),
            lambda: self._database.restart(chance.choice((0.0, 2.0, 15.0))),
            lambda: self._sleep(fate),
        )
        chance.choice(disturbances)()

    def _sleep(self, fate: Fate) -> None:
        """Suspend all machines at once."""
        self.time.passed += fate.asleep
        if fate.asleep > SESSION_TIMEOUT:
            for replica in self._replicas:
                self._database.expire(replica.connection)
        fate.asleep = 0.0

    async def _end(self) -> None:
        """End the replicas that are left: kill some, and stop the others."""
        self._over = True
        for replica in self._replicas:
            replica.dies_in = None
            replica.gate.open()
            if not self.calm and not replica.over and self.chance.random() < 0.5:
                self._kill(replica)
            if replica.over and replica.gate.dead:
                await replica.bury()
            else:
                await replica.stop()
            self.history.append("killed" if replica.gate.dead else "refused" if replica.refused else "ended")

    def _start(self) -> None:
        replica = Replica(
            self._configured, self.setting.backfill, self._rate, self._committed, self._board, self._errors.append
        )
        connect = self._database.connect(partial(self._moment, replica))

        def connected(*place: Any, **parameters: Any) -> Any:
            replica.connection = connect(*place, **parameters)
            return replica.connection

        self._replicas.append(replica)
        replica.start(connected, self.chance)

    def _kill(self, replica: Replica) -> None:
        replica.kill()
        self._cut(replica)

    def _cut(self, replica: Replica) -> None:
        if replica.connection is not None:
            # A machine that is gone says nothing to the server.
            replica.connection.cut(self.chance.random() < 0.3, None)

    def _suspend(self, replica: Replica, seconds: float) -> None:
        if not replica.gate.closed:
            replica.gate.close()
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._resume, replica)
            if seconds > SESSION_TIMEOUT:
                loop.call_later(SESSION_TIMEOUT, self._database.expire, replica.connection)

    def _resume(self, replica: Replica) -> None:
        replica.gate.open()
        # A scrape may be the first thing that a process does when it wakes.
        if not self._over and self.chance.random() < 0.8:
            self._scrape()

    def _aside(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)

    def _moment(self, replica: Replica, connection: Any, statement: str, executed: bool) -> None:
        """Run before and after each statement of a replica. Raises what happens to it there."""
        committing = statement == "COMMIT" and not executed
        if replica.dies_in is not None:
            replica.dies_in -= 1
            if replica.dies_in <= 0:
                connection.cut(self.chance.random() < 0.3, self.chance.choice((None, 1.0, 9.0)) if committing else None)
                raise KilledError
        # After a COMMIT it is unknown whether it succeeded. This worst case is drawn most often.
        faulty = _FAULTY_COMMIT if statement == "COMMIT" else _FAULTY
        if not self.calm and not self._over and self.chance.random() < faulty:
            self._go_wrong(replica, connection, committing, executed)

    def _go_wrong(self, replica: Replica, connection: Any, committing: bool, executed: bool) -> None:
        match self.chance.randrange(4):
            case 0 if not executed:
                raise connection.fail()
            case 1:
                seconds = self.chance.choice(_SUSPENSIONS)
                self._suspend(replica, seconds)
                if seconds > SESSION_TIMEOUT:
                    raise connection.cut(True, None)
            case 2 if committing:
                raise connection.cut(False, self.chance.uniform(0.0, 9.0))
            case 2 | 3:
                raise connection.cut(self.chance.random() < 0.5, None)

    async def _scrape_at_times(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.2, 4.0))
            self._scrape()

    def _scrape(self) -> None:
        """Scrape all replicas at once."""
        self._check()
        showing: dict[Target, Replica] = {}
        for replica in self._awake():
            for target, totals in replica.scrape().items():
                assert target not in showing, f"two replicas show {target}"
                showing[target] = replica
                scene = next(scene for scene in self.scenes if scene.target == target)
                scene.look_at(totals)

    def _awake(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica.awake]

    def _check(self) -> None:
        if self._errors:
            raise AssertionError("a replica failed unexpectedly") from self._errors[0]
        assert not self._database.wrong, self._database.wrong
        for scene in self.scenes:
            assert not scene.market.wrong, scene.market.wrong
        if self._unsure:
            self._unsure = False
            self._note_records()

    def _committed(self, update: LedgerUpdate, certain: bool) -> None:
        for scene in self.scenes:
            if certain:
                scene.market.committed(update, True)
            else:
                self._unsure = True

    def _note_records(self) -> None:
        """Note the rates of what is committed, also if nobody was told that it is."""
        records = self._database.records()
        for scene in self.scenes:
            scene.first_start = self._database.first_start()
            scene.market.look_at(r for r in records if (r.identity.account, r.identity.region) == scene.target)

    def _rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        scene = next(scene for scene in self.scenes if scene.target == (account, region))
        return scene.market.rate(account, region, instance_type, usage)

    def _board(self, scene: Scene) -> Board:
        return Board(scene.jobs, self.time, scene.unfinished, scene.market)
