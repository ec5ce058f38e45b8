"""Limit how often AWS is called: calls are spaced evenly, so that no burst takes what others in the account need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.clock import Clock


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a client of one service may do in one target. `per_second` has calls per second by operation; operations
    that stand together share one limit. `timeout` is in seconds, for one attempt."""

    per_second: Mapping[tuple[str, ...], float]
    max_concurrency: int
    timeout: float


class RateLimiter:
    """Allow at most `rate` calls per second, in the order in which they ask. A caller that gives up loses its turn."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._distance, self._clock = 1 / rate, clock
        self._next = clock.monotonic()

    async def wait(self) -> None:
        """Wait for the next turn."""
        now = self._clock.monotonic()
        mine = max(now, self._next)
        self._next = mine + self._distance
        if mine > now:
            await self._clock.sleep(mine - now)


class RateLimiters:
    """The rate limiter of each operation of a service in one target. All clients that poll the target share it, so
    that its limits hold for them together."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self.limits = limits
        self._by_operation: dict[str, RateLimiter] = {}
        for operations, rate in limits.per_second.items():
            self._by_operation.update(dict.fromkeys(operations, RateLimiter(rate, clock)))

    async def wait(self, operation: str) -> None:
        """Wait for the next turn of an operation."""
        await self._by_operation[operation].wait()
