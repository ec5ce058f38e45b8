"""Test that a price that comes late reaches every recorded job, even if it cannot be written when it comes."""

from __future__ import annotations

import asyncio
import threading
from fractions import Fraction
from functools import partial
from pathlib import Path

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore
from exporter.training.cost import Rate
from tests.ledger.books import TARGET, Disk, Time, job, readings, running

_OTHER = ("111122223333", "us-east-1")


class World:
    """Hold a ledger's disk and the price of everything, None while there is none."""

    def __init__(self) -> None:
        self.disk, self.price = Disk(), Fraction(0)

    def rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        return Rate(self.price, "USD") if self.price else None

    def ledger(self, path: Path | str = "") -> Ledger:
        return Ledger(partial(SqliteStore, str(path), connect=self.disk.connect), Time(), 0.0, self.rate)


def amounts(books: Ledger, family: str) -> list[int]:
    """Return the values of a family that are not 0."""
    found = [s.true[0] for key, s in books.totals(TARGET).items() if key.family == f"sagemaker_training_{family}"]
    return [value for value in found if value]


async def test_a_price_that_cannot_be_written_is_applied_with_the_next_write() -> None:
    world = World()
    async with world.ledger() as books:
        await books.begin(TARGET)
        await books.apply(readings(job(), settled=True))
        world.price, world.disk.broken = Fraction(36), True
        await books.price(TARGET)
        assert books.pending == 1
        world.disk.broken = False
        await books.begin(_OTHER)
        assert books.pending == 0
        assert amounts(books, "cost_total") == [160 * 10**7]
        assert amounts(books, "unpriced_instance_seconds") == []


async def test_a_price_that_cannot_be_written_is_applied_at_the_end(tmp_path: Path) -> None:
    world = World()
    async with world.ledger(tmp_path / "state.db") as books:
        await books.begin(TARGET)
        await books.apply(readings(job(), settled=True))
        world.price, world.disk.broken = Fraction(36), True
        await books.price(TARGET)
        world.disk.broken = False
    async with world.ledger(tmp_path / "state.db") as books:
        assert amounts(books, "cost_total") == [160 * 10**7]


async def test_a_target_that_begins_prices_what_an_earlier_run_recorded(tmp_path: Path) -> None:
    world = World()
    async with world.ledger(tmp_path / "state.db") as books:
        await books.apply(readings(job(), settled=True))
    world.price = Fraction(36)
    async with world.ledger(tmp_path / "state.db") as books:
        await books.begin(TARGET)
        assert amounts(books, "cost_total") == [160 * 10**7]


async def test_a_price_that_comes_during_a_write_is_not_taken_for_written() -> None:
    world, committing, go_on = World(), threading.Event(), threading.Event()
    async with world.ledger() as books:
        await books.apply(readings(job(), settled=True))

        def wait(_: int) -> None:
            if world.disk.doing == "COMMIT":
                world.disk.watch = None
                committing.set()
                go_on.wait(10)

        world.disk.watch = wait
        first = asyncio.create_task(books.price(TARGET))
        await asyncio.to_thread(committing.wait, 10)
        # The first write has found no price, and the second one fails.
        world.price = Fraction(36)
        second = asyncio.create_task(books.price(TARGET))
        await asyncio.sleep(0)
        world.disk.dies_at = world.disk.moments + 2
        go_on.set()
        await first
        await second
        assert (books.pending, amounts(books, "cost_total")) == (1, [])
        world.disk.dies_at = None
        await books.apply(())
        assert (books.pending, amounts(books, "cost_total")) == (0, [160 * 10**7])


async def test_a_reading_of_an_unpriced_job_in_the_same_write_counts_once() -> None:
    world = World()
    async with world.ledger() as books:
        await books.apply(readings(running(), job("other")))
        world.price, world.disk.broken = Fraction(36), True
        await books.price(TARGET)
        world.disk.broken = False
        await books.apply(readings(job(), settled=True))
        assert amounts(books, "cost_total") == [2 * 160 * 10**7]
        assert amounts(books, "unpriced_instance_seconds") == []
