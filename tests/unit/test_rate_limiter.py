"""Test that calls are spaced evenly, in order, and never exceed the rate."""

from __future__ import annotations

import asyncio

import pytest

from exporter.aws.rates import RateLimiter
from exporter.simulator.clock import ManualClock


async def taken(limiter: RateLimiter, clock: ManualClock, turns: list[tuple[int, float]], name: int) -> None:
    await limiter.wait()
    turns.append((name, clock.monotonic()))


async def pass_by(clock: ManualClock, seconds: float, steps: int) -> None:
    for _ in range(steps):
        for _ in range(5):
            await asyncio.sleep(0)
        clock.advance(seconds / steps)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_come_together_go_one_by_one() -> None:
    clock = ManualClock()
    limiter, turns = RateLimiter(4.0, clock), list[tuple[int, float]]()
    waiting = [asyncio.create_task(taken(limiter, clock, turns, name)) for name in range(9)]
    await pass_by(clock, 2.0, 64)
    assert turns == [(name, name / 4) for name in range(9)]
    await asyncio.gather(*waiting)


async def test_time_without_calls_is_no_right_to_a_burst() -> None:
    clock = ManualClock()
    limiter, turns = RateLimiter(2.0, clock), list[tuple[int, float]]()
    clock.advance(60.0)
    waiting = [asyncio.create_task(taken(limiter, clock, turns, name)) for name in range(3)]
    await pass_by(clock, 1.0, 32)
    assert turns == [(0, 60.0), (1, 60.5), (2, 61.0)]
    await asyncio.gather(*waiting)


async def test_whoever_gives_up_holds_nobody_up() -> None:
    clock = ManualClock()
    limiter, turns = RateLimiter(1.0, clock), list[tuple[int, float]]()
    waiting = [asyncio.create_task(taken(limiter, clock, turns, name)) for name in range(3)]
    await pass_by(clock, 0.5, 4)
    waiting[1].cancel()
    await pass_by(clock, 1.5, 16)
    assert turns == [(0, 0.0), (2, 2.0)]
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
