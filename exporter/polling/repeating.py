"""Repeats a poll at an interval, from a moment that is left to chance."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from exporter.clock import Clock


async def repeat(poll: Callable[[], Awaitable[None]], interval: float, clock: Clock) -> None:
    """Poll once an interval until cancelled. A poll that takes longer is tracked by the next at once."""
    due = clock.monotonic()
    while True:
        await poll()
        due = max(due + interval, now := clock.monotonic())
        await clock.sleep(due - now)


def random_phase(interval: float) -> float:
    """Return how long to wait before the first poll, so that targets, and replicas, do not poll all at once."""
    return interval * random.uniform(0.5, 1.0)
