"""Quotas on /metrics, of a whole application on the simulator."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import pytest

from exporter import demo
from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.service import Service
from exporter.simulator import Fault, Faults, Kind, Quotas, Simulator, steady
from exporter.training.usage import USAGES
from tests.e2e.exposed import Exposed, lead_to
from tests.logged import messages

# They wait for 18 pages at the real pace of five a second.
pytestmark = pytest.mark.long

ACCOUNT, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1")
TYPE = "ml.g5.2xlarge"
QUOTA, ALL = "sagemaker_training_quota_instances", "sagemaker_training_quota_all_instances"
UP = "sagemaker_exporter_source_up"
LIST = "ListServiceQuotas"
TARGETS = ((ACCOUNT, REGIONS[0]), (ACCOUNT, REGIONS[1]), (OTHER, REGIONS[0]))


def config(**quotas: Any) -> Config:
    own, other = {"regions": REGIONS}, {"regions": REGIONS[:1], "role_arn": f"arn:aws:iam::{OTHER}:role/exporter"}
    polling = {"describe_rps": 1000.0, "list_rps": 1000.0}
    return Config.model_validate({"targets": [own, other], "quotas": quotas, "polling": polling})


async def exposed(board: Board) -> Exposed:
    return Exposed(b"".join([piece async for piece in board.metrics(False, False)]).decode())


def fill(sim: Simulator) -> None:
    for account, region in TARGETS:
        sim.store.add(account, region, *steady(2, sim.clock.time() - 600))


async def once(sim: Simulator, monkeypatch: pytest.MonkeyPatch, settings: Config) -> tuple[bool, Exposed]:
    fill(sim)
    lead_to(sim, monkeypatch)
    async with App.open(settings, SystemClock()) as app:
        well = await app.once()
        return well, await exposed(app.board)


def simulated(**more: Any) -> Simulator:
    return Simulator(accounts=(ACCOUNT, OTHER), regions=REGIONS, **more)


async def test_types_in_use_have_quotas_of_each_target(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    async with simulated() as sim:
        well, shown = await once(sim, monkeypatch, config())
        pages = {key[:2]: number for key, number in sim.calls.items() if key[2] == LIST}
    seconds = time.monotonic() - began
    assert well
    labels = ("aws_account_id", "aws_region", "instance_type", "usage")
    assert shown.by(QUOTA, *labels) == {
        (*t, TYPE, usage): Quotas().of(TYPE, usage) for t in TARGETS for usage in USAGES
    }
    assert shown.by(ALL, "aws_account_id", "aws_region") == dict.fromkeys(TARGETS, 80.0)
    assert shown.by(UP, "aws_account_id", "aws_region", source="quotas") == dict.fromkeys(TARGETS, 1.0)
    # Each target with its own credentials: 1,705 entries are 18 pages, at most 5 a second.
    assert pages == dict.fromkeys(TARGETS, 18)
    requests = "sagemaker_exporter_api_requests_total"
    assert shown.by(requests, "aws_account_id", "aws_region", operation=LIST) == dict.fromkeys(TARGETS, 18.0)
    assert seconds > 17 / 5


@pytest.mark.parametrize(
    ("quotas", "shown_values"),
    [
        (Quotas(training={TYPE: 0.0}, spot={}, warm_pool={}, all_instances=None), {0.0}),
        (Quotas(without=(TYPE,), all_instances=None), set()),
    ],
    ids=["none allowed", "unknown"],
)
async def test_no_applied_value_is_no_sample(
    quotas: Quotas, shown_values: set[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Config.model_validate({"targets": [{"regions": REGIONS[:1]}]})
    async with simulated(quotas=quotas) as sim:
        well, shown = await once(sim, monkeypatch, settings)
    assert well
    assert shown.value(UP, source="quotas") == 1
    assert {value for _, value in shown.rows(QUOTA)} == shown_values
    assert shown.rows(ALL) == []


async def test_denied_quotas_are_one_warning_and_everything_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults((Fault(Kind.ACCESS_DENIED, operation=LIST, account=ACCOUNT),))
    async with simulated(faults=faults) as sim:
        with caplog.at_level(logging.WARNING, logger="exporter"):
            well, shown = await once(sim, monkeypatch, config())
    assert well
    assert {(labels["aws_account_id"]) for labels, _ in shown.rows(QUOTA) + shown.rows(ALL)} == {OTHER}
    assert len(shown.rows(UP, source="quotas")) == 3
    assert shown.by(UP, "aws_account_id", source="quotas") == {(OTHER,): 1.0}
    assert len(shown.rows("sagemaker_training_job_status", status="InProgress")) == 6
    assert {value for _, value in shown.rows("sagemaker_exporter_target_up")} == {1.0}
    errors = shown.by("sagemaker_exporter_api_errors_total", "aws_account_id", "aws_region", "code", operation=LIST)
    assert errors == {(ACCOUNT, region, "AccessDeniedException"): 1.0 for region in REGIONS}
    assert messages(caplog) == ["quotas cannot be read"] * 2


async def test_tokens_that_are_rejected_cost_three_attempts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Config.model_validate({"targets": [{"regions": REGIONS[:1]}]})
    async with simulated(faults=Faults((Fault(Kind.PAGING_REFUSED, operation=LIST),))) as sim:
        well, shown = await once(sim, monkeypatch, settings)
        assert sim.calls[ACCOUNT, REGIONS[0], LIST] == 6
    assert well
    assert shown.value(UP, source="quotas") == 0
    assert shown.rows(QUOTA) == []
    assert "quotas cannot be read" in messages(caplog)


async def test_turned_off_nothing_is_asked_or_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated() as sim:
        well, shown = await once(sim, monkeypatch, config(interval="0s"))
        assert not [key for key in sim.calls if key[2] == LIST]
    assert well
    assert shown.rows(QUOTA) == shown.rows(ALL) == shown.rows(UP, source="quotas") == []


async def test_a_list_that_hangs_delays_once_for_some_time_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("exporter.wiring.quotas._PAGES", 0.1)
    faults = Faults((Fault(Kind.SLOW, operation=LIST, seconds=3600.0),))
    settings = Config.model_validate({"targets": [{"regions": REGIONS[:1]}], "polling": {"timeout": 0.3}})
    async with simulated(faults=faults) as sim:
        well, _ = await once(sim, monkeypatch, settings)
    assert well
    assert "quotas were not read in time" in messages(caplog)


async def test_a_reload_has_no_gap_and_reads_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    configs = [config(), config()]
    async with simulated() as sim:
        fill(sim)
        lead_to(sim, monkeypatch)
        service = Service(lambda: configs.pop(0), clock)
        await service.start()

        async def shown() -> Exposed:
            return Exposed(b"".join([piece async for piece in service.metrics(openmetrics=False, gzip=False)]).decode())

        async with asyncio.timeout(30):
            while len((await shown()).rows(QUOTA)) < 9:
                await asyncio.sleep(0.1)
            before = service.config
            await service.reload()
            assert service.config is not before
        after = await shown()
        assert len(after.rows(QUOTA)) == 9
        assert len(after.by(ALL, "aws_account_id", "aws_region")) == 3
        assert len(after.by(UP, "aws_account_id", "aws_region", source="quotas")) == 3
        assert {number for key, number in sim.calls.items() if key[2] == LIST} == {18}
        await service.stop()


async def test_the_demo_shows_quotas() -> None:
    before = dict(os.environ)
    async with demo.simulated(demo.Demo(jobs=40, seed=1, speed=1.0)) as clock:
        settings = demo.own_targets(Config.model_validate({"polling": {"describe_rps": 1000.0, "list_rps": 100.0}}))
        async with App.open(settings, clock) as app:
            assert await app.once()
            shown = await exposed(app.board)
    assert set(shown.by(UP, "aws_region", "source")) >= {(region, "quotas") for region in demo.REGIONS}
    assert {labels["usage"] for labels, _ in shown.rows(QUOTA)} == set(USAGES)
    # Types of which the account has no applied quota are in use, too.
    held = {labels["instance_type"] for labels, _ in shown.rows("sagemaker_training_instances")}
    assert held & {labels["instance_type"] for labels, _ in shown.rows(QUOTA)}
    assert dict(os.environ) == before
