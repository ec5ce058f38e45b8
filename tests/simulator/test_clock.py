"""Test the simulator's clocks."""

from __future__ import annotations

import asyncio
import time

import pytest

from exporter.simulator.clock import ManualClock, ScaledClock


async def test_scaled_time_runs_faster() -> None:
    clock = ScaledClock(speed=1000, start=5000)
    began = time.monotonic()
    await clock.sleep(50)
    assert time.monotonic() - began < 20
    assert clock.time() >= 5050
    assert clock.monotonic() >= 50


def test_scaled_time_starts_now_by_default() -> None:
    assert ScaledClock().time() == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be a positive number"):
        ScaledClock(speed)


async def test_manual_time_moves_only_by_hand() -> None:
    clock = ManualClock(start=100)
    order: list[str] = []

    async def nap(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(nap("long", 20))
        tasks.create_task(nap("short", 5))
        given_up = tasks.create_task(nap("given up", 1))
        tasks.create_task(nap("none", 0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        assert order == ["none"]
        clock.advance(5)
        await asyncio.sleep(0)
        assert order == ["none", "short"]
        clock.advance(15)
    assert order == ["none", "short", "long"]
    assert (clock.time(), clock.monotonic()) == (120, 20)


def test_stepping_the_wall_clock_passes_no_time() -> None:
    clock = ManualClock(start=100)
    clock.advance(3)
    clock.set(50)
    assert (clock.time(), clock.monotonic()) == (50, 3)
