"""What stays for long is no work for the garbage collector, and a reload leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exporter.clock import SystemClock
from exporter.config import Config
from exporter.garbage import Garbage
from exporter.service import Service
from exporter.simulator import Simulator
from tests.e2e.exposed import lead_to


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
        async with asyncio.timeout(20):
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
    def __init__(self) -> None:
        self.me = self


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


class _Clock(SystemClock):
    """Sleeps five times, and not for long."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.each: Callable[[], object] = list

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == 5:
            raise asyncio.CancelledError
        self.slept.append(seconds)
        self.each()
