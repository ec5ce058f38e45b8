"""Utilization and algorithm metrics on /metrics, of a whole application on the simulator."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.simulator import Fault, Faults, Kind, Simulator, cloudwatch, steady
from exporter.simulator.life import Group, Life
from exporter.simulator.request import resource_config
from tests.e2e.exposed import Exposed, lead_to
from tests.logged import messages
from tests.prices.listed import index_json, item

pytestmark = pytest.mark.slow

ACCOUNT, OTHER, REGION = "123456789012", "210987654321", "us-east-1"
ROLE = f"arn:aws:iam::{OTHER}:role/exporter"
UP = "sagemaker_exporter_source_up"
REQUESTED = "sagemaker_exporter_cloudwatch_metrics_requested_total"
GPU = "sagemaker_training_job_gpu_utilization_ratio"
FAMILIES = tuple(f"sagemaker_training_job_{kind}_utilization_ratio" for kind in ("cpu", "gpu", "gpu_memory", "disk"))


def config(jobs: dict[str, Any] | None = None, prices: dict[str, Any] | None = None, **cloudwatch: Any) -> Config:
    targets = [{"regions": [REGION]}, {"regions": [REGION], "role_arn": ROLE}]
    polling = {"describe_rps": 1000.0, "active_interval": 1.0}
    sections = {"targets": targets, "cloudwatch": cloudwatch, "polling": polling, "jobs": jobs or {}}
    return Config.model_validate({**sections, "prices": prices or {"source": "none"}, "quotas": {"interval": 0.0}})


async def exposed(board: Board) -> Exposed:
    return Exposed(b"".join([piece async for piece in board.metrics(False, False)]).decode())


def add(sim: Simulator, number: int = 2) -> None:
    for account in (ACCOUNT, OTHER):
        sim.store.add(account, REGION, *steady(number, sim.clock.time() - 1200))


async def once(sim: Simulator, monkeypatch: pytest.MonkeyPatch, settings: Config) -> tuple[bool, Exposed]:
    add(sim)
    lead_to(sim, monkeypatch)
    async with App.open(settings, SystemClock()) as app:
        well = await app.once()
        return well, await exposed(app.board)


def asked(sim: Simulator) -> dict[str, int]:
    return {key[0]: number for key, number in sim.calls.items() if key[2] == "GetMetricData"}


async def test_each_target_is_read_by_its_own_role(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        wanted = config(utilization=["gpu", "cpu", "gpu_memory", "disk"], algorithm_metrics=["train:*"])
        well, shown = await once(sim, monkeypatch, wanted)
        assert asked(sim) == {ACCOUNT: 1, OTHER: 1}
    assert well
    for family in FAMILIES:
        rows = shown.rows(family)
        assert len(rows) == 4, family
        assert {labels["host"] for labels, _ in rows} == {"algo-1"}
        assert all(0 <= value <= 1 for _, value in rows)
    assert shown.rows("sagemaker_training_job_memory_utilization_ratio") == []
    times = shown.rows("sagemaker_training_job_utilization_timestamp_seconds")
    assert len(times) == 4
    assert all(value % 60 == 0 for _, value in times)
    assert {labels["metric_name"] for labels, _ in shown.rows("sagemaker_training_job_algorithm_metric")} == {
        "train:loss"
    }
    assert len(shown.rows("sagemaker_training_job_algorithm_metric_timestamp_seconds")) == 4
    # Two jobs with four kinds of one host and one algorithm metric each.
    assert shown.by(REQUESTED, "aws_account_id") == {(ACCOUNT,): 10.0, (OTHER,): 10.0}
    assert shown.by(UP, "aws_account_id", "source") == {(ACCOUNT, "cloudwatch"): 1, (OTHER, "cloudwatch"): 1}
    requests = "sagemaker_exporter_api_requests_total"
    assert shown.by(requests, "aws_account_id", operation="GetMetricData") == {(ACCOUNT,): 1, (OTHER,): 1}


async def test_it_is_off_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        well, shown = await once(sim, monkeypatch, config())
        assert asked(sim) == {}
    assert well
    assert shown.rows(UP) == shown.rows(REQUESTED) == shown.rows(GPU) == []


@pytest.mark.parametrize(
    "jobs", [{"per_job_metrics": False}, {"exclude": "steady-.*"}, {"disabled_metrics": ["*_utilization_ratio"]}]
)
async def test_what_is_not_shown_is_not_requested(monkeypatch: pytest.MonkeyPatch, jobs: dict[str, Any]) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        well, shown = await once(sim, monkeypatch, config(jobs, utilization=["gpu"]))
        assert asked(sim) == {}
    assert well
    assert shown.rows(GPU) == []


async def test_hardware_that_only_the_price_list_knows_is_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The packaged table has no numbers of ml.g7 types."""
    new = "ml.g7.2xlarge"
    (tmp_path / "prices.json").write_text(index_json([item(new, vCpu="8", gpu="1")]))
    monkeypatch.setattr(cloudwatch, "HARDWARE", {new: (8, 1)})
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        (life,) = steady(1, sim.clock.time() - 1200)
        groups = (Group(new, 1),)
        spec = {**life.spec, "ResourceConfig": resource_config(groups, 30)}
        sim.store.add(ACCOUNT, REGION, replace(life, name="new", groups=groups, spec=spec))
        lead_to(sim, monkeypatch)
        prices = {"source": "file", "file": str(tmp_path / "prices.json")}
        async with App.open(config(prices=prices, utilization=["gpu"]), SystemClock()) as app:
            await app.once()
            shown = await exposed(app.board)
    assert shown.value("sagemaker_instance_gpus", instance_type=new) == 1
    assert [labels["job_name"] for labels, _ in shown.rows(GPU)] == ["new"]


@pytest.mark.parametrize("kind", [Kind.ACCESS_DENIED, Kind.THROTTLE, Kind.NOT_JSON])
async def test_a_source_that_fails_leaves_everything_else_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: Kind
) -> None:
    caplog.set_level(logging.WARNING, logger="exporter")
    faults = Faults((Fault(kind, operation="GetMetricData", account=OTHER),))
    async with Simulator(accounts=(ACCOUNT, OTHER), faults=faults) as sim:
        well, shown = await once(sim, monkeypatch, config(utilization=["gpu"]))
    assert well
    assert shown.by(UP, "aws_account_id") == {(ACCOUNT,): 1}
    assert shown.value(UP, aws_account_id=OTHER) == 0
    assert {labels["aws_account_id"] for labels, _ in shown.rows(GPU)} == {ACCOUNT}
    assert shown.by("sagemaker_exporter_target_up", "aws_account_id") == {(ACCOUNT,): 1, (OTHER,): 1}
    assert len(shown.rows("sagemaker_training_job_status", status="InProgress")) == 4
    assert messages(caplog) == ["CloudWatch cannot be read"]


def ending(life: Life, at: float) -> Life:
    """The life, which trains until a time."""
    *before, training = life.phases
    return replace(
        life,
        name="ends",
        phases=(*before, replace(training, seconds=at - life.created - sum(phase.seconds for phase in before))),
    )


async def test_samples_end_with_the_job_and_survive_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        add(sim)
        (life,) = steady(1, sim.clock.time() - 1200, seconds=100.0)
        sim.store.add(ACCOUNT, REGION, ending(life, sim.clock.time() + 4))
        lead_to(sim, monkeypatch)
        settings = config(utilization=["gpu"])
        async with App.open(settings, SystemClock()) as app, asyncio.timeout(30):
            polling = asyncio.create_task(app.run())
            while len((await exposed(app.board)).rows(GPU)) < 5:
                await asyncio.sleep(0.05)
            later = App(settings, SystemClock(), app.ledger, app)
            beside = asyncio.create_task(later.run())
            while len((shown := await exposed(later.board)).rows(GPU)) < 4:
                await asyncio.sleep(0.05)
            # What the first one has read is not requested again.
            assert asked(sim) == {ACCOUNT: 1, OTHER: 1}
            assert shown.by(REQUESTED, "aws_account_id") == {(ACCOUNT,): 3.0, (OTHER,): 2.0}
            while (await exposed(app.board)).rows(GPU, job_name="ends"):
                await asyncio.sleep(0.05)
            over = (await exposed(app.board)).by("sagemaker_training_job_status", "status", job_name="ends")
            assert over == {("Completed",): 1}
            polling.cancel()
            beside.cancel()
            await asyncio.wait([polling, beside])
