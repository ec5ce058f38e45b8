"""What stays for long is no work for the garbage collector, and a reload leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from exporter.clock import SystemClock
from exporter.config import Config
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
        resting = asyncio.create_task(service.rest())
        await asyncio.sleep(0)
        assert gc.get_freeze_count() == 0
        async with asyncio.timeout(20):
            await resting
        assert service.ready() == (True, "ready")
        # The models of the SDK alone are tens of thousands.
        assert gc.get_freeze_count() > 20_000
        assert len(gc.get_objects()) < gc.get_freeze_count()
        earlier = weakref.ref(service._open())
        await service.reload()
        await asyncio.sleep(0)
        assert earlier() is None
        assert gc.get_freeze_count() > 20_000
        await service.stop()
