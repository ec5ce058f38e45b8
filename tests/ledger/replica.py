"""Run one replica among others in the same event loop: its ledger, its leases, and the pollers of what it holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from exporter.ledger.locks import SharedStore
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.store import LedgerUpdate, StoreError, Target, Totals
from exporter.polling.health import Health
from exporter.replicas.shared import SharedLeases
from exporter.training.active import ActiveCounts
from exporter.training.cost import RateOf
from tests.ledger.gate import Gate, GatedClient, GatedClock, GatedLedger
from tests.ledger.inspection import Inspection
from tests.ledger.scene import Scene
from tests.ledger.watched import Watched

_PAUSE = 5.0


class Board(Watched):
    """Shows the totals of a target while its replica holds it."""

    replica: Replica
    totals: dict[Target, Totals]

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None:
        super().target(target, counts, health, jobs)
        if self.replica.leases.holds(target):
            self.totals[target] = self.replica.ledger.totals(target)


class Application:
    """Polls all targets of a configuration while they are held, as after a start or a reload."""

    def __init__(self, replica: Replica, scenes: Sequence[Scene], board_of: Callable[[Scene], Board]) -> None:
        self._replica, self.scenes, self._board_of = replica, scenes, board_of
        self.totals: dict[Target, Totals] = {}
        leases = replica.leases
        self._tasks = [
            asyncio.create_task(leases.while_assigned("/".join(scene.target), partial(self._poll, scene)))
            for scene in scenes
        ]

    def take_over(self) -> None:
        """Show the totals of now, as `exporter.app.App.take_over` does."""
        for target in self.totals:
            self.totals[target] = self._replica.ledger.totals(target)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._replica.failed(outcome)

    def hide(self) -> None:
        self.totals.clear()

    async def _poll(self, scene: Scene) -> None:
        while True:
            try:
                async with self._replica.leases.held(scene.target):
                    await self._poll_held(scene)
            except Exception as error:  # noqa: BLE001
                self._replica.failed(error)
            await self._replica.clock.sleep(_PAUSE)

    async def _poll_held(self, scene: Scene) -> None:
        replica, board = self._replica, self._board_of(scene)
        board.replica, board.totals = replica, self.totals
        client = GatedClient(scene.client, replica.gate)
        poller = scene.poller(replica.ledger, replica.clock, board, client)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(poller.run())
                tasks.create_task(scene.market.tell(poller))
        finally:
            self.totals.pop(scene.target, None)


class Replica:
    """A process that shares targets with others. `failed` receives errors that nothing should raise."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        backfill: float,
        rate_of: RateOf,
        committed: Callable[[LedgerUpdate, bool], None],
        board_of: Callable[[Scene], Board],
        failed: Callable[[Exception], None],
    ) -> None:
        self.failed, self._scenes, self._board_of, self._committed = failed, scenes, board_of, committed
        self.gate = Gate()
        self.clock = GatedClock(self.gate)
        self.connection: Any = None
        # The statements after which it is killed, before or after one.
        self.dies_in: int | None = None
        self._backfill, self._rate_of = backfill, rate_of
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # Two during a reload; the first is the one that is scraped.
        self._applications = list[Application]()
        self.refused = ""

    @property
    def awake(self) -> bool:
        """Return whether it answers scrapes."""
        return bool(self._applications) and not self.gate.closed and not self._stopping.is_set()

    @property
    def over(self) -> bool:
        return self.gate.dead or (self._task is not None and self._task.done())

    def start(self, connect: Callable[..., Any], chance: random.Random) -> None:
        store = partial(PostgresStore, "", "the database", "", connect=connect, randbits=chance.getrandbits)
        self._inspection = Inspection(store, self._committed)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop as on SIGTERM."""
        self._stopping.set()
        if self._task and not self.gate.dead:
            await asyncio.wait([self._task])

    def kill(self) -> None:
        self.gate.kill()

    async def bury(self) -> None:
        """End what a killed replica left in the event loop."""
        self.gate.bury()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def scrape(self) -> Mapping[Target, Totals]:
        """Return the totals that a scrape sees."""
        self.leases.check()
        return dict(self._applications[0].totals)

    async def reload(self, seconds: float, scenes: Sequence[Scene]) -> None:
        """Run another application with these targets beside the current one for a while, and then only that, as
        `exporter.service.Service` does."""
        if not self._applications:
            # It has not begun to poll.
            self._scenes = scenes
        if len(self._applications) != 1 or not self.awake:
            return
        self._applications.append(Application(self, scenes, self._board_of))
        self._share_targets(scenes, self._applications[0].scenes)
        await self.clock.sleep(seconds)
        if len(self._applications) == 2:
            self._applications[1].take_over()
            earlier = self._applications.pop(0)
            self._share_targets(scenes)
            await earlier.stop()

    async def _run(self) -> None:
        def opened(now: float) -> SharedStore:
            return cast(SharedStore, self._inspection.open(now))

        self.ledger = GatedLedger(opened, lambda: (self.clock.monotonic(), self.clock.time()), self._backfill)
        self.ledger.gate, self.ledger.rate_of = self.gate, self._rate_of
        try:
            async with self.ledger:
                await self._share()
        except StoreError as error:
            self.refused = str(error)

    async def _share(self) -> None:
        self.leases = SharedLeases(self.ledger, self.clock)
        self.leases.on_loss(self._hide)
        self._share_targets(self._scenes)
        looking = asyncio.create_task(self.leases.run())
        self._applications.append(Application(self, self._scenes, self._board_of))
        try:
            await self._stopping.wait()
        finally:
            while self._applications:
                await self._applications.pop().stop()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def _share_targets(self, *configured: Sequence[Scene]) -> None:
        scenes = [scene for each in configured for scene in each]
        self.leases.share(
            ("/".join(scene.target) for scene in scenes), (tag for scene in scenes for tag in scene.setting.by_tags)
        )

    def _hide(self) -> None:
        if self._applications:
            self._applications[0].hide()
