"""Test that targets which are taken over at once do not delay the looks at the locks."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

from exporter.ledger.locks import Held, Replica
from exporter.ledger.shared import Look, SharedLedger
from exporter.ledger.store import Snapshot, Target
from exporter.replicas.leases import Work
from exporter.replicas.shared import SharedLeases
from tests.virtual_time import LoopClock, run

_ME = Replica(1, 2)


class _Ledger:
    """Implement what leases need of a ledger on which nobody else holds a target. `taken` is when each was locked."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.taken: list[float] = []

    async def look(self, group: int) -> Look:
        return Look(_ME, [_ME], (self._clock.monotonic(), self._clock.time()))

    async def hold(self, target: Target) -> Held:
        self.taken.append(self._clock.monotonic())
        return Held(Snapshot(), released=True)

    async def claim(self, target: Target) -> None: ...

    async def release(self, target: Target) -> None: ...

    async def lose(self) -> None: ...


def test_targets_are_taken_one_after_another() -> None:
    async def scenario() -> None:
        clock = LoopClock()
        ledger = _Ledger(clock)
        leases = SharedLeases(cast("SharedLedger", ledger), clock)
        targets = [("111122223333", f"us-east-{number}") for number in range(100)]
        leases.share("/".join(target) for target in targets)

        def work(target: Target) -> Work:
            async def hold() -> None:
                async with leases.held(target):
                    await asyncio.Event().wait()

            return hold

        tasks = [asyncio.create_task(leases.run())]
        tasks += [asyncio.create_task(leases.while_assigned("/".join(one), work(one))) for one in targets]
        await asyncio.sleep(10)
        assert all(map(leases.holds, targets))
        # Whoever takes one opens a client, which takes about as long.
        assert all(0.04 < after - before < 0.2 for before, after in pairwise(ledger.taken))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    run(scenario())
