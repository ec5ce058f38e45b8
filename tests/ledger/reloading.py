"""Run the harness with reloads: another poller begins beside the present one on the same ledger, and takes over later.

A reload may change the strategy.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from exporter.ledger.ledger import Ledger
from exporter.polling.poller import Poller
from tests.ledger.harness import Harness
from tests.virtual_time import LoopClock


class Reloading(Harness):
    """A harness whose exporter is reloaded at times. Everything else in a seed stays the same."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        self._reloads = random.Random(f"reloads {seed}")
        self.overlaps = 0

    def _poller(self, ledger: Ledger, clock: LoopClock) -> Poller:
        if self.calm:
            return self._next(ledger, clock)
        return _Succession(lambda: self._next(ledger, clock), self._reloads, self._overlapped)  # type: ignore[return-value]

    def _overlapped(self) -> None:
        self.overlaps += 1

    def _next(self, ledger: Ledger, clock: LoopClock) -> Poller:
        (scene,) = self.scenes
        scene.set(replace(scene.setting, search=self._reloads.random() < 0.5))
        return super()._poller(ledger, clock)


class _Succession:
    """Pollers of the same target, of which the last two may run at the same time."""

    def __init__(self, make: Callable[[], Poller], chance: random.Random, overlapped: Callable[[], None]) -> None:
        self._make, self._chance, self._overlapped = make, chance, overlapped
        self._running = [make()]

    async def price(self) -> None:
        for poller in [*self._running]:
            await poller.price()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(self._running[0].run())
            while True:
                await asyncio.sleep(self._chance.choice((10.0, 300.0, 1000.0)) * self._chance.random())
                self._running.append(self._make())
                successor = tasks.create_task(self._running[1].run())
                await asyncio.sleep(self._chance.choice((0.0, 20.0, 100.0)) * self._chance.random())
                polling.cancel()
                await asyncio.wait([polling])
                self._overlapped()
                del self._running[0]
                polling = successor
