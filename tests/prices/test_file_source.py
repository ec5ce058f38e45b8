"""Test the price file as a source, alone and above the lists of AWS, whole and broken."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.polling.api import ApiError
from exporter.prices.products import GET_PRODUCTS, NO_ENDPOINT
from tests.logged import lines
from tests.prices.listed import REGION, index_json, item
from tests.prices.world import DAY, Lists, World, reading, world
from tests.virtual_time import run

TABLE = "regions: {us-east-1: {ml.m5.xlarge: 0.2}, us-gov-west-1: {ml.m5.xlarge: 0.29}}\n"


def test_a_file_alone_asks_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "prices.yaml").write_text(TABLE)

    async def scenario() -> None:
        at = World(regions=[REGION, "us-gov-west-1", "eu-west-1"])
        async with reading(at.reader(api=False, file=str(tmp_path / "prices.yaml"))):
            assert at.lists.reads == []
            assert (at.shown.price(), at.shown.price("us-gov-west-1")) == (Decimal("0.2"), Decimal("0.29"))
            assert at.shown.states == {REGION: True, "us-gov-west-1": True, "eu-west-1": False}
            await asyncio.sleep(3 * DAY)
            assert at.shown.errors == [("eu-west-1", "NoPrices")]

    run(scenario())
    (warning,) = lines(caplog)
    assert warning.startswith('msg="the price file has no prices for a polled region" region=eu-west-1 file=')


def test_a_file_stands_above_the_list(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(TABLE)

    async def scenario() -> None:
        at = world(us_east_1=[item(), item("ml.g5.xlarge", "1.408")])
        async with reading(at.reader(file=str(tmp_path / "prices.yaml"))):
            assert at.shown.price() == Decimal("0.2")
            assert at.shown.price(name="ml.g5.xlarge") == Decimal("1.408")

    run(scenario())


def test_govcloud_needs_a_file_and_one_warning_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(TABLE)
    error = ApiError(GET_PRODUCTS, NO_ENDPOINT, "set prices.file")

    async def scenario(name: str) -> World:
        at = World(Lists({"us-gov-west-1": error}), regions=["us-gov-west-1"])
        async with reading(at.reader(file=name)):
            await asyncio.sleep(3 * DAY)
        return at

    at = run(scenario(str(file)))
    assert (at.shown.states, at.shown.price("us-gov-west-1")) == ({"us-gov-west-1": True}, Decimal("0.29"))
    assert not caplog.records
    at = run(scenario(""))
    assert at.shown.states == {"us-gov-west-1": False}
    assert set(at.shown.errors) == {("us-gov-west-1", NO_ENDPOINT)}
    (warning,) = lines(caplog)
    assert f"code={NO_ENDPOINT}" in warning
    assert "set prices.file" in warning


def test_a_file_that_breaks_is_one_warning_and_its_last_prices_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(TABLE)

    async def scenario() -> None:
        at = World()
        async with reading(at.reader(api=False, file=str(file), interval=3600)):
            file.write_text(TABLE.replace("0.2}", "-0.2}").replace("0.29", "x"))
            await asyncio.sleep(DAY)
            assert (at.shown.states, at.shown.price()) == ({REGION: False}, Decimal("0.2"))
            assert set(at.shown.errors) == {("", "InvalidPrices")}
            (warning,) = lines(caplog)
            assert 'msg="reading the price file failed" problems=2' in warning
            assert "line=1" in warning
            assert "the price -0.2 is negative" in warning
            file.write_text(TABLE.replace("0.2}", "0.21}"))
            await asyncio.sleep(3700)
            assert (at.shown.states, at.shown.price()) == ({REGION: True}, Decimal("0.21"))

    run(scenario())


def test_of_a_file_that_is_half_broken_the_good_half_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "prices.json"
    file.write_text(index_json([item(), item("ml.g5.xlarge", "1.408"), item(sku="EU", regionCode="eu-west-1")]))

    async def scenario() -> None:
        at = World()
        async with reading(at.reader(api=False, file=str(file), interval=3600)):
            file.write_text(index_json([item(price="0.2"), item("ml.g5.xlarge", "-1")]))
            at.regions.append("eu-west-1")
            await asyncio.sleep(DAY)
            assert at.shown.states == {REGION: False, "eu-west-1": False}
            assert set(at.shown.errors) == {("", "InvalidPrices")}
            assert at.shown.price() == Decimal("0.2")
            assert at.shown.price(name="ml.g5.xlarge") == Decimal("1.408")
            assert at.shown.price("eu-west-1") == Decimal("0.23")
            file.write_text(index_json([item(price="0.2")]))
            await asyncio.sleep(3700)
            assert at.shown.states == {REGION: True, "eu-west-1": False}
            assert at.shown.price(name="ml.g5.xlarge") is None

    with caplog.at_level(logging.INFO, logger="exporter"):
        run(scenario())
    half, _, absent = lines(caplog)
    assert 'msg="some prices of the file are invalid" problems=1' in half
    assert "the price -1 is negative" in half
    assert "has no prices for a polled region" in absent
