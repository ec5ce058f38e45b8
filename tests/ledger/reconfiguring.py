"""Run replicas whose configuration changes: between lives its tags, backfill and adjustments of prices, and while they
run its targets, with which they are reloaded one after another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tests.ledger.fates import Fate
from tests.ledger.replica import Replica
from tests.ledger.replica_harness import Database, ReplicaHarness
from tests.ledger.scene import Scene

_TAGS = ((), ("team", "Team"), ("Team",), ("team", "Team", "project"), ("project", "Team", "team"))
_BACKFILLS = (0.0, 120.0, 400.0)
# Of a negotiated rate. No two list prices differ by such a factor.
MULTIPLIERS = (Fraction(1), Fraction(7, 8), Fraction(3, 5))
# How many seconds the replicas need at most to reload and to hand over what they drop.
_FOLLOWED = 60.0


class Reconfiguring(ReplicaHarness):
    """Change the configuration, and let the database be full at times. A generator of its own draws both."""

    def __init__(self, seed: int, database: Callable[[Any], Database]) -> None:
        super().__init__(seed, database)
        self._changes = random.Random(f"configurations {seed}")
        self._full_until = 0.0
        # Jobs that a longer backfill includes are found only by an exporter that was not away for long before.
        self._backfills = _BACKFILLS if self._changes.random() < 0.5 else (self.setting.backfill,)

    def live(self, fate: Fate) -> None:
        chance = self._changes
        self.setting = replace(self.setting, by_tags=chance.choice(_TAGS), backfill=chance.choice(self._backfills))
        multiplier = chance.choice(MULTIPLIERS)
        for scene in self.scenes:
            scene.set(self.setting)
            scene.market.multipliers.append(multiplier)
        self._configured = self._some_targets()
        super().live(fate)

    def _knows_its_jobs(self) -> bool:
        return self._backfills != _BACKFILLS and super()._knows_its_jobs()

    async def _trouble(self, fate: Fate) -> None:
        changing = asyncio.create_task(self._change_targets_at_times())
        try:
            await super()._trouble(fate)
        finally:
            changing.cancel()
            await asyncio.wait([changing])

    async def _until_right(self, fate: Fate) -> None:
        # The database may have been down when the replicas started.
        await asyncio.sleep(self._changes.uniform(0.0, 30.0))
        self._replace_ended()
        # What could not be written is of targets that are lost with the sessions.
        self._full_for(30.0)
        await asyncio.sleep(self._changes.uniform(0.0, 60.0))
        self._database.restart(0.0)
        for scenes in (self._some_targets(), self.scenes):
            await self._change_targets(scenes)
            await asyncio.sleep(_FOLLOWED)
            self._scrape()
            self._shows_all(scenes)
        await super()._until_right(fate)

    async def _change_targets_at_times(self) -> None:
        while True:
            await asyncio.sleep(self._changes.uniform(5.0, 60.0))
            if self._changes.random() < 0.5:
                self._full_for(30.0)
            await self._change_targets(self._some_targets())

    async def _change_targets(self, scenes: Sequence[Scene]) -> None:
        """Reload the replicas with these targets, one after another."""
        self._configured = scenes
        for replica in [*self._replicas]:
            await asyncio.sleep(self._changes.uniform(0.0, 5.0))
            self._aside(replica.reload(self._changes.uniform(0.0, 20.0), scenes))

    def _moment(self, replica: Replica, connection: Any, statement: str, executed: bool) -> None:
        if self.time.now < self._full_until and "INSERT INTO job" in statement and not executed:
            raise connection.fail()
        super()._moment(replica, connection, statement, executed)

    def _full_for(self, seconds: float) -> None:
        """Let the database have no space for more jobs, for so many seconds at most."""
        self._full_until = self.time.now + self._changes.uniform(0.0, seconds)

    def _some_targets(self) -> Sequence[Scene]:
        return self._changes.choice((self.scenes, self.scenes[:1], self.scenes[1:]))
