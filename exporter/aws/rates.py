"""Limits the rate of calls to AWS. Calls are spaced evenly: AWS's limits are shared by the whole account, and a burst
would throttle its other users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.clock import Clock


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits of one service in one target.

    `per_second` maps operations to calls per second; operations in the same key share one limit. `timeout` is in
    seconds and applies to each attempt.
    """

    per_second: Mapping[tuple[str, ...], float]
    max_concurrency: int
    timeout: float


class RateLimiter:
    """Allows `rate` calls per second at most, first come, first served. The turn of a cancelled caller stays unused."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._interval, self._clock = 1 / rate, clock
        self._next = clock.monotonic()

    async def wait(self) -> None:
        """Wait for the next turn."""
        now = self._clock.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval
        if turn > now:
            await self._clock.sleep(turn - now)


class RateLimiters:
    """The rate limiters of the operations of a service in one target.

    All clients of the target share them, so that the limits also hold during a reload, while two pollers run.
    """

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self.limits = limits
        self._by_operation: dict[str, RateLimiter] = {}
        for operations, rate in limits.per_second.items():
            self._by_operation.update(dict.fromkeys(operations, RateLimiter(rate, clock)))

    async def wait(self, operation: str) -> None:
        """Wait for the next turn of an operation. Raises KeyError for one that has no limit."""
        await self._by_operation[operation].wait()
