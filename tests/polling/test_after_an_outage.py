"""Test that a poller makes up for what the store could neither write nor read for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore
from exporter.training.cost import Rate
from tests.displays import Showing
from tests.ledger.books import Disk
from tests.polling.pollers import poller, polling
from tests.sagemaker import TARGET, Region, job, jobs
from tests.virtual_time import LoopClock

_COST = "sagemaker_training_job_cost{"


class Store:
    """Hold a state file, its disk, and the price of everything, None while there is none."""

    def __init__(self, folder: Path) -> None:
        self.path, self.disk = folder / "state.db", Disk()
        self.price: Fraction | None = Fraction(36)

    def rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        return Rate(self.price, "USD") if self.price else None

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        opened = partial(SqliteStore, str(self.path), connect=self.disk.connect)
        async with Ledger(opened, LoopClock().time, 86400.0, self.rate) as ledger:
            yield ledger


async def test_a_job_gets_its_cost_once_its_reading_is_written(tmp_path: Path) -> None:
    store, region = Store(tmp_path), Region()
    now = region.clock.time()
    region.jobs.add(*jobs(1, now - 3600, now - 600))
    async with store.ledger() as ledger:
        shown = Showing(ledger, rate_of=store.rate)
        store.disk.broken = True
        async with polling(poller(region, ledger, display=shown)):
            await asyncio.sleep(100)
            assert "sagemaker_training_job_info{" in (text := await shown.text())
            assert _COST not in text
            store.disk.broken = False
            await asyncio.sleep(40)
            assert _COST in await shown.text()


async def test_a_job_gets_a_cost_that_another_application_has_written(tmp_path: Path) -> None:
    store, region = Store(tmp_path), Region()
    now = region.clock.time()
    store.price = None
    region.jobs.add(*jobs(1, now - 3600, now - 600))
    async with store.ledger() as ledger:
        shown = Showing(ledger, rate_of=store.rate)
        one = poller(region, ledger, display=shown)
        async with polling(
            one,
        ):
            await asyncio.sleep(100)
            store.price = Fraction(36)
            # The application that a reload is about to end.
            await ledger.price(TARGET)
            await asyncio.sleep(100)
            assert _COST not in await shown.text()
            await one.price()
            assert _COST in await shown.text()


@pytest.mark.parametrize("search", [False, True])
async def test_jobs_of_an_earlier_run_are_resumed_when_they_can_be_read(tmp_path: Path, search: bool) -> None:
    """No listing shows a job that was deleted meanwhile."""
    store, region = Store(tmp_path), Region()
    now = region.clock.time()
    gone = job("deleted"), job("again")
    region.jobs.add(job("kept"), *gone)
    async with store.ledger() as ledger, polling(poller(region, ledger, search=search)):
        await asyncio.sleep(100)
        assert len(await ledger.open_jobs(TARGET) or ()) == 3
    for life in gone:
        region.jobs.replace(life, replace(life, deleted=now))
    region.jobs.add(job("again", now + 100))
    async with store.ledger() as ledger:
        store.disk.broken = True
        one = poller(region, ledger, search=search)
        async with polling(one):
            await asyncio.sleep(100)
            store.disk.broken = False
            await asyncio.sleep(200)
            left = await ledger.open_jobs(TARGET) or ()
            created = {"again": now + 100, "kept": now - 3600}
            assert {(i.name, i.created_ms) for i in left} == {(n, round(t * 1000)) for n, t in created.items()}
            assert {tracked.job.name for tracked in one.tracker.jobs()} == {"kept", "again"}


async def test_a_job_that_is_dropped_while_it_is_written_is_not_shown(tmp_path: Path) -> None:
    store, region = Store(tmp_path), Region()
    now = region.clock.time()
    region.jobs.add(*jobs(1, now - 3600, now - 600))
    async with store.ledger() as ledger:
        shown = Showing(ledger)
        one = poller(region, ledger, display=shown)

        def drop(moment: int) -> None:
            tracked = one.tracker.get("job-0")
            if store.disk.doing == "COMMIT" and tracked and tracked.read:
                one.tracker.drop("job-0")
                shown.gone(TARGET, "job-0")

        async with polling(one):
            store.disk.watch = drop
            await asyncio.sleep(50)
            assert len(one.tracker) == 0
            assert "sagemaker_training_job_info{" not in await shown.text()
