"""Test prices and hardware on /metrics of a whole application on the simulator."""

from __future__ import annotations

import logging
import os
from decimal import Decimal
from typing import Any

import pytest

from exporter import demo
from exporter.app import App
from exporter.catalogue import GROUPS
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.prices.book import PriceBook, PriceList
from exporter.prices.display import PriceDisplay
from exporter.simulator import Fault, Faults, Kind, Prices, Simulator, steady
from exporter.training.usage import TRAINING, USAGES
from tests.e2e.exposed import Exposed, lead_to
from tests.logged import messages

pytestmark = pytest.mark.slow

ACCOUNT, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1")
PRICE = "sagemaker_instance_price_per_hour"
UP = "sagemaker_exporter_source_up"
OTHERS = {"polling": {"describe_rps": 1000.0}, "quotas": {"interval": "0s"}}


def config(**prices: Any) -> Config:
    own, other = {"regions": REGIONS}, {"regions": REGIONS[:1], "role_arn": f"arn:aws:iam::{OTHER}:role/exporter"}
    return Config.model_validate({"targets": [own, other], "prices": prices, **OTHERS})


async def exposed(board: Board) -> Exposed:
    return Exposed(b"".join([piece async for piece in board.metrics(False, False)]).decode())


async def once(sim: Simulator, monkeypatch: pytest.MonkeyPatch, settings: Config) -> tuple[bool, Exposed]:
    for account in (ACCOUNT, OTHER):
        sim.store.add(account, REGIONS[0], *steady(2, sim.clock.time() - 600))
    sim.store.add(ACCOUNT, REGIONS[1], *steady(1, sim.clock.time() - 600))
    lead_to(sim, monkeypatch)
    async with App.open(settings, SystemClock()) as app:
        well = await app.once()
        return well, await exposed(app.board)


async def test_types_that_were_seen_have_prices_and_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS) as sim:
        well, shown = await once(sim, monkeypatch, config())
        calls = {key: number for key, number in sim.calls.items() if key[2] == "GetProducts"}
    assert well
    labels = ("aws_region", "instance_type", "usage", "currency")
    assert shown.by(PRICE, *labels) == {
        (region, "ml.g5.2xlarge", usage, "USD"): float(Prices().of(region, "ml.g5.2xlarge", usage) or 0)
        for region in REGIONS
        for usage in USAGES
    }
    assert shown.value("sagemaker_instance_gpus", instance_type="ml.g5.2xlarge") == 1
    assert shown.value("sagemaker_instance_vcpus", instance_type="ml.g5.2xlarge") == 8
    assert shown.value("sagemaker_instance_memory_bytes", instance_type="ml.g5.2xlarge") == 32 * 2**30
    # Every target of a region says whether its prices are there; the list itself is read once, by the own account.
    assert shown.by(UP, "aws_account_id", "aws_region", "source") == {
        (account, region, "prices"): 1.0
        for account, region in ((ACCOUNT, REGIONS[0]), (ACCOUNT, REGIONS[1]), (OTHER, REGIONS[0]))
    }
    assert calls == {(ACCOUNT, "us-east-1", "GetProducts"): 4}
    requests = "sagemaker_exporter_api_requests_total"
    assert shown.by(requests, "aws_account_id", "aws_region", operation="GetProducts") == {
        (ACCOUNT, region): 2.0 for region in REGIONS
    }


async def test_a_denied_list_is_one_warning_and_everything_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults((Fault(Kind.ACCESS_DENIED, operation="GetProducts"),))
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS, faults=faults) as sim:
        with caplog.at_level(logging.WARNING, logger="exporter"):
            well, shown = await once(sim, monkeypatch, config())
    assert well
    assert not shown.rows(PRICE)
    assert len(shown.rows(UP)) == 3
    assert shown.by(UP, "aws_region") == {}
    assert shown.value("sagemaker_instance_gpus", instance_type="ml.g5.2xlarge") == 1
    assert len(shown.rows("sagemaker_training_job_status", status="InProgress")) == 5
    errors = "sagemaker_exporter_api_errors_total"
    assert shown.by(errors, "aws_region", operation="GetProducts") == {(region,): 1.0 for region in REGIONS}
    assert messages(caplog) == ["reading prices failed"] * 2


async def test_without_a_source_there_are_no_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS) as sim:
        well, shown = await once(sim, monkeypatch, config(source="none"))
        assert not [key for key in sim.calls if key[2] == "GetProducts"]
    assert well
    assert shown.rows(PRICE) == shown.rows(UP) == []
    assert shown.value("sagemaker_instance_gpus", instance_type="ml.g5.2xlarge") == 1


async def test_the_demo_shows_prices_and_leads_to_no_account() -> None:
    before = dict(os.environ)
    async with demo.simulated(demo.Demo(jobs=5, seed=1, speed=1.0)) as clock:
        settings = demo.own_targets(Config.model_validate(OTHERS))
        async with App.open(settings, clock) as app:
            assert await app.once()
            shown = await exposed(app.board)
    assert set(shown.by(UP, "aws_region", "source")) == {(region, "prices") for region in demo.REGIONS}
    assert {labels["aws_region"] for labels, _ in shown.rows(PRICE)} == set(demo.REGIONS)
    assert dict(os.environ) == before


async def test_adjustments_come_from_the_configuration_and_change_no_list_price(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(adjustments=[{"account": OTHER, "instance_type": "ml.g5.*", "multiplier": 0.88}])
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS) as sim:
        lead_to(sim, monkeypatch)
        async with App.open(settings, SystemClock()) as app:
            assert await app.once()
            book = app.pricing.reader.book
    rates = [book.rate(account, REGIONS[0], "ml.g5.2xlarge", TRAINING) for account in (ACCOUNT, OTHER)]
    assert [str(rate.per_hour) for rate in rates if rate] == ["303/200", "3333/2500"]
    assert book.list_price(REGIONS[0], "ml.g5.2xlarge", TRAINING) == Decimal("1.515")


async def test_prices_outlive_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS) as sim:
        lead_to(sim, monkeypatch)
        async with App.open(config(), SystemClock()) as app:
            await app.pricing.reader.read()
            later = App(config(), SystemClock(), app.ledger, app)
            await later.pricing.reader.read()
            assert later.pricing.reader.book == app.pricing.reader.book
            assert later.pricing.reader.book.regions
        assert sim.calls[ACCOUNT, "us-east-1", "GetProducts"] == 4


async def test_a_list_that_never_comes_delays_once_for_some_time_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults((Fault(Kind.SLOW, operation="GetProducts", seconds=3600.0),))
    settings = Config.model_validate(
        {**OTHERS, "targets": [{"regions": REGIONS[:1]}], "polling": {"timeout": 0.3, "describe_rps": 1000.0}}
    )
    async with Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS, faults=faults) as sim:
        well, _ = await once(sim, monkeypatch, settings)
    assert well
    assert messages(caplog) == ["prices were not read in time"]


async def test_a_display_follows_names_types_and_lists() -> None:
    board, targets = Board(GROUPS), [("", "us-east-1")]
    display = PriceDisplay(board, lambda: targets)
    display.up("us-east-1", False)
    assert (await exposed(board)).by(UP, "aws_account_id") == {}
    assert len((await exposed(board)).rows(UP, aws_account_id="")) == 1
    targets[0] = (ACCOUNT, "us-east-1")
    display.forget(("", "us-east-1"))
    display.known(targets[0])
    display.up("us-east-1", True)
    assert (await exposed(board)).by(UP, "aws_account_id") == {(ACCOUNT,): 1.0}
    display.seen("us-east-1", "ml.m5.xlarge")
    assert (await exposed(board)).rows(PRICE) == []
    listed = PriceList("USD", {("ml.m5.xlarge", TRAINING): Decimal("0.23"), ("ml.c5.large", TRAINING): Decimal(1)})
    display.prices(PriceBook({"us-east-1": listed}), ["us-east-1"])
    display.seen("eu-west-1", "ml.m5.xlarge")
    assert {labels["instance_type"] for labels, _ in (await exposed(board)).rows(PRICE)} == {"ml.m5.xlarge"}
    assert {labels["aws_region"] for labels, _ in (await exposed(board)).rows(PRICE)} == {"us-east-1"}
    # A type that is in the list no more has no price.
    shorter = PriceList("USD", {("ml.c5.large", TRAINING): Decimal(1)})
    display.prices(PriceBook({"us-east-1": shorter}), ["us-east-1"])
    assert (await exposed(board)).rows(PRICE) == []
