"""Run replicas on an imitated server in virtual time, one task for each block that holds a target."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from exporter.ledger.postgres import PostgresStore
from exporter.ledger.shared import SharedLedger
from exporter.ledger.store import Target
from exporter.replicas.shared import SharedLeases
from tests.ledger.books import START
from tests.ledger.fake_postgres import FakeConnection, FakeServer
from tests.virtual_time import LoopClock, VirtualLoop


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run the scenario in virtual time, also what would run in threads."""
    with asyncio.Runner(loop_factory=partial(VirtualLoop, chance=random.Random(0))) as runner:
        runner.run(scenario)


def server() -> FakeServer:
    return FakeServer(asyncio.get_running_loop().time)


class Member:
    """A replica. `moment` may be replaced, to make statements fail. `losses` counts how often it lost all targets."""

    def __init__(self, server: FakeServer) -> None:
        self._server, self.losses, self.connections = server, 0, list[FakeConnection]()
        self.moment: Callable[[FakeConnection, str, bool], None] = lambda *_: None
        clock = LoopClock()
        self.ledger = SharedLedger(self._opened, lambda: (clock.monotonic(), clock.time()))
        self.leases = SharedLeases(self.ledger, clock)
        self.leases.on_loss(self._lost)
        self._blocks = set[asyncio.Task[None]]()

    def poll(self, target: Target, ending: float = 0.0) -> asyncio.Task[None]:
        """Hold a target whenever it is assigned. Its block needs some seconds to end when it is cancelled."""

        async def work() -> None:
            async with self.leases.held(target):
                await self.ledger.begin(target)
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(ending)

        task = asyncio.create_task(self.leases.while_assigned("/".join(target), work))
        self._blocks.add(task)
        return task

    def end_session(self) -> None:
        """End its session at the server. It learns that with its next statement."""
        self.connections[-1]._session.end()

    async def stop(self) -> None:
        for task in self._blocks:
            task.cancel()
        await asyncio.gather(*self._blocks, return_exceptions=True)

    def _opened(self, now: float) -> PostgresStore:
        return PostgresStore("", "the database", "", START, self._connect, randbits=random.Random(id(self)).getrandbits)

    def _connect(self, *_: object, **__: object) -> Any:
        connection = FakeConnection(self._server, self._at)
        self.connections.append(connection)
        return connection

    def _at(self, connection: FakeConnection, statement: str, executed: bool) -> None:
        self.moment(connection, statement, executed)

    def _lost(self) -> None:
        self.losses += 1


@asynccontextmanager
async def member(server: FakeServer, *targets: Target) -> AsyncIterator[Member]:
    """Run a replica that shares these targets with others."""
    one = Member(server)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(one.ledger)
        one.leases.share("/".join(target) for target in targets)
        looking = asyncio.create_task(one.leases.run())
        yield one
        await one.stop()
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
