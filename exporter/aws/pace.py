"""How often AWS is asked: at even distances, so that no burst ever takes what others in the account need."""

from __future__ import annotations

from exporter.clock import Clock


class Pace:
    """At most `rate` turns a second, in the order in which they were asked for; one that is given up is lost."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._distance, self._clock = 1 / rate, clock
        self._next = clock.monotonic()

    async def turn(self) -> None:
        """Wait for the next one."""
        now = self._clock.monotonic()
        mine = max(now, self._next)
        self._next = mine + self._distance
        if mine > now:
            await self._clock.sleep(mine - now)
