"""Test that what new prices cost depends on the regions that they are of, not on all."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.app import App
from exporter.catalogue import GROUPS
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.prices.book import Hardware, PriceBook, PriceList
from exporter.prices.display import PriceDisplay
from exporter.prices.families import HARDWARE, PRICES
from exporter.simulator import Simulator
from exporter.training.usage import TRAINING
from tests.e2e.exposed import lead_to
from tests.prices.listed import item
from tests.prices.world import ML, Lists, World, reading
from tests.virtual_time import run

Patch = pytest.MonkeyPatch


def counted(patch: Patch, owner: type, name: str, count: Callable[..., object]) -> Counter[object]:
    """Count the calls of a method by what `count` returns for them."""
    method, calls = getattr(owner, name), Counter[object]()

    def counting(*arguments: Any) -> Any:
        calls[count(*arguments)] += 1
        return method(*arguments)

    patch.setattr(owner, name, counting)
    return calls


def test_reading_lists_is_work_for_each_region(tmp_path: Path, monkeypatch: Patch) -> None:
    def work(number: int) -> int:
        names = [f"eu-west-{each}" for each in range(1, number + 1)]
        (file := tmp_path / "prices.yaml").write_text(f"regions: {{{', '.join(f'{n}: {{{ML}: 0.2}}' for n in names)}}}")

        async def scenario() -> None:
            at = World(Lists({name: [item(regionCode=name)] for name in names}), regions=names)
            async with reading(at.reader(file=str(file))):
                assert {at.shown.price(name) for name in names} == {Decimal("0.2")}
                await asyncio.sleep(600)

        with monkeypatch.context() as patch:
            calls = [counted(patch, PriceList, name, lambda *_: None) for name in ("overlaid", "__eq__")]
            run(scenario())
        return sum(each.total() for each in calls)

    assert work(40) <= 2.5 * work(20)


class Asked(list[str]):
    """Count how often the regions are asked for."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()


def test_a_region_that_is_polled_no_more_wakes_nobody() -> None:
    async def scenario() -> None:
        at = World(Lists({name: [item(regionCode=name)] for name in ("us-east-1", "eu-west-1")}))
        at.regions = asked = Asked(["us-east-1", "eu-west-1"])
        async with reading(at.reader(interval=3600.0)):
            asked.remove("eu-west-1")
            await asyncio.sleep(7200.0)
            asked.times = 0
            await asyncio.sleep(1800.0)
            # Each look asks twice: what to read, and when the next list is due.
            assert asked.times <= 2 * 1800 / 60 + 2

    run(scenario())


def test_a_new_list_is_shown_at_the_types_of_its_region(monkeypatch: Patch) -> None:
    puts = counted(monkeypatch, Board, "put", lambda _, group, key, *__: (group, key))
    display = PriceDisplay(Board(GROUPS), list)
    names, types = [f"region-{each}" for each in range(5)], ["ml.a", "ml.b"]
    for region, type_ in itertools.product(names, types):
        display.seen(region, type_)
    puts.clear()
    prices = {(type_, TRAINING): Decimal(1) for type_ in types}
    display.prices(PriceBook(dict.fromkeys(names, PriceList("USD", prices, {"ml.a": Hardware(1)}))), names[:1])
    assert puts == {(HARDWARE, type_): 1 for type_ in types} | {(PRICES, (names[0], type_)): 1 for type_ in types}


async def test_new_prices_are_given_to_the_targets_of_their_region(monkeypatch: Patch) -> None:
    account, regions = "123456789012", ("us-east-1", "eu-west-1")
    settings = Config.model_validate({"targets": [{"regions": regions}], "quotas": {"interval": "0s"}})
    priced: list[Target] = []

    async def price(_: Ledger, target: Target) -> None:
        priced.append(target)

    async with Simulator(accounts=(account,), regions=regions) as sim, App.open(settings, SystemClock()) as app:
        lead_to(sim, monkeypatch)
        running = asyncio.create_task(app.run())
        async with asyncio.timeout(30):
            while app.waiting() or len(app.pricing.reader.book.regions) < len(regions):
                await asyncio.sleep(0.05)
            monkeypatch.setattr(Ledger, "price", price)
            app.pricing.prices(app.pricing.reader.book, regions[1:])
            while not priced:
                await asyncio.sleep(0.05)
            assert priced == [(account, regions[1])]
            app.pricing.in_force()
            while len(priced) < 3:
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait([running])
    assert set(priced[1:]) == {(account, region) for region in regions}
