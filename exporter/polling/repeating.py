"""Repeats a poll at a fixed interval, with a random phase."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from exporter.clock import Clock


async def repeat(poll: Callable[[], Awaitable[None]], interval: float, clock: Clock) -> None:
    """Poll once per interval (seconds) until cancelled. After a poll that takes longer, the next one starts at once."""
    due = clock.monotonic()
    while True:
        await poll()
        due = max(due + interval, now := clock.monotonic())
        await clock.sleep(due - now)


def random_phase(interval: float) -> float:
    """Return a random delay before the first poll in seconds, so that targets and replicas do not poll all at once."""
    return interval * random.uniform(0.5, 1.0)
