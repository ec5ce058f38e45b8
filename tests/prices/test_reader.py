"""Test the loop that reads price lists: when it reads, what it logs, and which prices stay in use after a failure."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal

import pytest

from exporter.polling.api import ApiError
from exporter.prices.products import GET_PRODUCTS
from tests.logged import lines, messages
from tests.prices.listed import REGION, Item, MemoryCache, item, spot
from tests.prices.world import DAY, Lists, World, reading, world
from tests.virtual_time import run


def denied() -> ApiError:
    return ApiError(GET_PRODUCTS, "AccessDeniedException")


def test_each_region_is_read_once_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item(), spot()], eu_west_1=[item(regionCode="eu-west-1", price="0.253")])
        at.regions = ["", REGION, "eu-west-1", REGION]
        async with reading(at.reader()):
            assert [region for _, region in at.lists.reads] == [REGION, "eu-west-1"]
            assert at.shown.price() == Decimal("0.23")
            assert at.shown.price("eu-west-1") == Decimal("0.253")
            assert at.shown.states == {REGION: True, "eu-west-1": True}
            at.lists.by_region[REGION] = [item(price="0.22")]
            await asyncio.sleep(DAY - 120)
            assert len(at.lists.reads) == 2
            await asyncio.sleep(240)
            assert len(at.lists.reads) == 4
            assert at.shown.price() == Decimal("0.22")
            # A region whose name is known later is read when it is known.
            at.regions.append("eu-west-2")
            await asyncio.sleep(61)
            assert at.lists.reads[-1][1] == "eu-west-2"
        assert at.shown.books == 3

    run(scenario())
    assert messages(caplog) == ["reading prices failed"]


def test_a_region_is_read_at_once_when_its_first_target_is_polled() -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item()], eu_west_1=[item(regionCode="eu-west-1", price="0.253")])
        at.regions = []
        reader = at.reader()
        async with reading(reader):
            at.regions = ["eu-west-1"]
            reader.look_again()
            await asyncio.sleep(0.1)
            assert at.shown.price("eu-west-1") == Decimal("0.253")
            reader.look_again()
            await asyncio.sleep(0.1)
            assert len(at.lists.reads) == 1

    run(scenario())


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (denied(), "code=AccessDeniedException"),
        (ApiError(GET_PRODUCTS, "NameNotResolved"), "code=NameNotResolved"),
        ([], "code=NoPrices"),
        ([item(component="Notebook", platoinstancetype="Notebook")], "code=NoPrices"),
        ([item(price="-1")], "in this region (1 of its entries are invalid)"),
        (["{", "[]", 5, {}, {"product": {}}], "in this region (5 of its entries are invalid)"),
        ([item(), item("ml.g5.xlarge", currency="CNY")], "the prices of us-east-1 are in USD and CNY"),
    ],
    ids=["denied", "unreachable", "empty", "other", "negative", "broken", "currencies"],
)
def test_a_failure_is_one_warning_and_the_last_good_prices_stay(
    failing: list[object] | Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item()])
        async with reading(at.reader()):
            at.lists.by_region[REGION] = failing
            await asyncio.sleep(2 * DAY)
            assert at.shown.states == {REGION: False}
            assert at.shown.price() == Decimal("0.23")
            # A minute, then twice as long each time, and an hour at most. Waiting is checked each minute.
            gaps = at.lists.gaps()[1:]
            assert gaps[:6] == pytest.approx([60, 120, 240, 480, 960, 1920], abs=61)
            assert max(gaps) <= 3661
            (warning,) = lines(caplog)
            assert said in warning
            assert "region=us-east-1 kept=true" in warning
            at.lists.by_region[REGION] = [item(price="0.2")]
            await asyncio.sleep(3700)
            assert at.shown.states == {REGION: True}
            assert at.shown.price() == Decimal("0.2")

    run(scenario())


def test_another_failure_is_another_warning_and_the_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(us_east_1=denied())
        async with reading(at.reader()):
            assert (at.shown.states, at.shown.price()) == ({REGION: False}, None)
            at.lists.by_region[REGION] = ApiError(GET_PRODUCTS, "Timeout")
            await asyncio.sleep(600)
            at.lists.by_region[REGION] = [item()]
            await asyncio.sleep(3700)

    with caplog.at_level(logging.INFO, logger="exporter"):
        run(scenario())
    assert messages(caplog) == ["reading prices failed", "reading prices failed", "reading prices works again"]


def test_of_a_list_that_is_half_broken_the_good_half_counts(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item(), item("ml.g5.xlarge", "1.408")])
        async with reading(at.reader()):
            broken: list[object] = [item(price="0.2"), item("ml.g5.xlarge", "-1"), "{", item("ml.p3.2xlarge", "x")]
            at.lists.by_region[REGION] = broken
            await asyncio.sleep(2 * DAY)
            assert at.shown.states == {REGION: False}
            assert at.shown.price() == Decimal("0.2")
            assert at.shown.price(name="ml.g5.xlarge") == Decimal("1.408")
        # A restart has them too, and reads again at once.
        later = World(Lists({REGION: denied()}), cache=at.cache)
        async with reading(later.reader()):
            assert (later.shown.price(), later.shown.price(name="ml.g5.xlarge")) == (Decimal("0.2"), Decimal("1.408"))
            assert later.shown.states == {REGION: False}

    run(scenario())
    warning, _ = lines(caplog)
    assert warning.startswith('msg="some prices of the list are invalid" region=us-east-1 entries=3 first=')
    assert "the price -1 is negative" in warning


def test_a_start_without_the_api_has_the_prices_of_the_last_run(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item()])
        async with reading(at.reader()):
            pass
        await asyncio.sleep(2 * DAY)
        later = World(Lists({REGION: denied()}), cache=at.cache)
        async with reading(later.reader()):
            assert later.shown.price() == Decimal("0.23")
            assert later.shown.states == {REGION: False}

    run(scenario())
    assert "kept=true" in lines(caplog)[0]


def test_a_copy_that_is_not_old_is_as_good_as_a_read() -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item()])
        async with reading(at.reader()):
            await asyncio.sleep(DAY / 2)
        later = World(Lists({REGION: [item(price="0.2")]}), cache=at.cache)
        async with reading(later.reader()):
            assert (later.lists.reads, later.shown.states) == ([], {REGION: True})
            await asyncio.sleep(DAY / 2 + 60)
            assert later.shown.price() == Decimal("0.2")

    run(scenario())


def test_a_list_that_never_was_without_a_bad_entry_is_kept_and_read_again_after_a_restart() -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item(), item("ml.g5.xlarge", "-1")])
        async with reading(at.reader()):
            pass
        later = World(Lists({REGION: [item(price="0.2")]}), cache=at.cache)
        async with reading(later.reader()):
            assert (len(later.lists.reads), later.shown.books, later.shown.price()) == (1, 2, Decimal("0.2"))

    run(scenario())


class Hanging(Lists):
    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        self.reads.append((0.0, region))
        await asyncio.sleep(math.inf)
        yield []


class Counting(MemoryCache):
    def __init__(self, before: MemoryCache) -> None:
        self._texts, self.loads = before._texts, 0

    async def load(self) -> Mapping[str, str]:
        self.loads += 1
        return await super().load()


def test_all_copies_are_loaded_at_once_before_the_first_request() -> None:
    async def scenario() -> None:
        regions = [REGION, "eu-west-1", "eu-west-2"]
        at = World(Lists({name: [item(regionCode=name)] for name in regions}), regions=regions)
        async with reading(at.reader()):
            pass
        await asyncio.sleep(2 * DAY)
        later = World(Hanging(), cache=(cache := Counting(at.cache)), regions=regions)
        async with reading(later.reader()):
            assert len(later.lists.reads) == 1
            assert [later.shown.price(name) for name in regions] == [Decimal("0.23")] * 3
            assert cache.loads == 1

    run(scenario())


class Broken(MemoryCache):
    async def load(self) -> Mapping[str, str]:
        raise OSError("no disk")

    async def store(self, region: str, text: str) -> None:
        raise OSError("no disk")


def test_a_cache_that_fails_costs_the_copy_only(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = World(Lists({REGION: [item()]}), cache=Broken())
        async with reading(at.reader()):
            assert (at.shown.price(), at.shown.states) == (Decimal("0.23"), {REGION: True})

    run(scenario())
    assert messages(caplog) == [
        "reading cached prices failed",
        "caching prices failed",
    ]


def test_a_mistake_of_ours_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = world(us_east_1=RuntimeError("a bug"), eu_west_1=[item(regionCode="eu-west-1")])
        at.regions.append("eu-west-1")
        async with reading(at.reader()):
            assert at.shown.states == {REGION: False, "eu-west-1": True}

    run(scenario())
    assert messages(caplog) == ["reading prices failed unexpectedly"]


def test_without_a_source_nothing_is_read() -> None:
    async def scenario() -> None:
        at = world(us_east_1=[item()])
        reader = at.reader(api=False)
        await asyncio.wait_for(reader.run(), 1)
        await reader.read()
        assert (at.lists.reads, at.shown.states, at.shown.books) == ([], {}, 0)

    run(scenario())


def test_infinity_is_no_price() -> None:
    infinite: Item = item(price=math.inf)

    async def scenario() -> None:
        at = world(us_east_1=[item("ml.m5.large"), infinite])
        async with reading(at.reader()):
            assert at.shown.price() is None

    run(scenario())
