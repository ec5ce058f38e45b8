"""Test that long-lived objects are excluded from garbage collection, and that a reload leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exporter.clock import SystemClock
from exporter.config import Config
from exporter.process.garbage import Garbage, resident_bytes
from exporter.service import Service
from exporter.simulator import Simulator
from tests.e2e.exposed import lead_to

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_once_every_target_was_tried_the_collector_passes_over_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.unfreeze()
    config = Config.model_validate({"targets": [{"regions": ["us-east-1"]}]})
    async with Simulator() as simulator:
        lead_to(simulator, monkeypatch)
        service = Service(lambda: config, SystemClock())
        await service.start()
        setting_aside = asyncio.create_task(service.keep_garbage_rare())
        await asyncio.sleep(0)
        assert gc.get_freeze_count() == 0
        async with asyncio.timeout(60):
            while not gc.get_freeze_count():
                await asyncio.sleep(0.05)
        assert service.ready() == (True, "ready")
        # The models of the SDK alone are tens of thousands.
        assert gc.get_freeze_count() > 20_000
        assert len(gc.get_objects()) < gc.get_freeze_count()
        earlier = weakref.ref(service._open())
        await service.reload()
        await asyncio.sleep(0)
        assert earlier() is None
        assert gc.get_freeze_count() > 20_000
        setting_aside.cancel()
        await service.stop()


async def test_what_comes_later_is_set_aside_every_second() -> None:
    clock, kept = _Clock(), list[list[list[object]]]()

    def more() -> None:
        kept.append([[] for _ in range(1000)])

    clock.each = more
    with suppress(asyncio.CancelledError):
        await Garbage().set_aside_for_ever(clock)
    assert clock.slept == [1.0] * 5
    ours = {id(one) for batch in kept[:4] for one in batch}
    assert len(ours) == 4000
    assert not ours & {id(one) for one in gc.get_objects()}


class _Cycle:
    def __init__(self, buffer: bytes = b"") -> None:
        self.me, self.buffer = self, buffer


def test_garbage_that_was_set_aside_is_found_once_there_is_as_much_again() -> None:
    garbage = Garbage()
    garbage.collect()
    cycle = _Cycle()
    gone = weakref.ref(cycle)
    gc.freeze()
    del cycle
    garbage.collect_if_doubled()
    assert gone() is not None
    leak: list[list[object]] = [[] for _ in range(2 * gc.get_freeze_count())]
    gc.freeze()
    garbage.collect_if_doubled()
    assert gone() is None
    assert leak


def test_a_cycle_that_ended_is_found_before_anything_is_set_aside() -> None:
    garbage = Garbage()
    garbage.collect()
    gone = weakref.ref(_Cycle())
    garbage.set_aside()
    assert gone() is None


def test_garbage_that_was_set_aside_is_found_once_memory_has_grown() -> None:
    resident = [100 << 20, 100 << 20, 131 << 20, 133 << 20, 133 << 20]
    garbage = Garbage(lambda: resident.pop(0))
    garbage.collect()
    cycle = _Cycle()
    gone = weakref.ref(cycle)
    garbage.set_aside()
    del cycle
    garbage.set_aside()
    assert gone() is not None
    garbage.set_aside()
    assert gone() is None
    assert resident == []


@pytest.mark.long
def test_memory_is_bounded_although_each_cycle_lives_while_it_is_set_aside() -> None:
    """The cycles have 400 MB in few large objects: their number alone would trigger no collection."""
    garbage = Garbage()
    garbage.collect()
    before, alive = resident_bytes(), list[_Cycle]()
    for _ in range(40):
        alive = [_Cycle(b"x" * 500_000) for _ in range(20)]
        garbage.set_aside()
        assert resident_bytes() - before < 100 << 20
    assert alive


class _Clock(SystemClock):
    """Sleep five times, for a short time."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.each: Callable[[], object] = list

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == 5:
            raise asyncio.CancelledError
        self.slept.append(seconds)
        self.each()
