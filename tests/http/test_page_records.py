"""Test the data that the application passes to the status page."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from exporter.training.job import TrainingJob
from exporter.web import page
from exporter.web.status import status
from tests.e2e.exposed import Exposed, lead_to


async def test_where_the_totals_are_kept_is_told_without_the_path(tmp_path: Path) -> None:
    clock = SystemClock()
    async with App.open(Config(), clock) as app:
        assert status(app, clock.time()).state is None
    path = tmp_path / "secret-place.db"
    async with App.open(Config.model_validate({"state": {"path": str(path)}}), clock) as app:
        state = status(app, clock.time()).state
    assert state is not None
    assert state.errors == 0


def test_a_failed_job_shows_the_category_and_never_the_reason() -> None:
    """Nor does it show anything else that an allowlist permits for labels."""
    failed = TrainingJob(
        account="1",
        region="r",
        name="j",
        arn="arn:SECRET",
        status="Failed",
        failure_category="ClientError",
        failure_reason="SECRET",
        training_image="SECRET",
        hyperparameters=(("k", "SECRET"),),
        tags=(("k", "SECRET"),),
        cost_tags=(("k", "SECRET"),),
    )
    text = page.render(page.Status("1", 0.0, 0.0, True, (), (page.ShownJob(failed),)), {})
    assert "ClientError" in text
    assert "SECRET" not in text


async def test_the_page_knows_the_costs_that_metrics_show(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator() as sim:
        now = sim.clock.time()
        sim.store.add("123456789012", "us-east-1", *steady(2, now - 600), *steady(1, now - 900, "done", 120.0))
        lead_to(sim, monkeypatch)
        clock = SystemClock()
        async with App.open(Config.model_validate({"totals": {"backfill": "1d"}}), clock) as app:
            assert await app.once()
            (target,) = status(app, clock.time()).targets
            shown = Exposed(b"".join([piece async for piece in app.board.metrics(False, False)]).decode())
    per_hour = {key: float(rate.per_hour * target.counts.instances[key]) for key, rate in target.counts.rates.items()}
    assert per_hour
    assert shown.by("sagemaker_training_cost_per_hour", "instance_type", "usage") == per_hour
    assert target.spent is not None
    costs = shown.by("sagemaker_training_cost_total", "instance_type", "usage", "currency")
    assert dict(target.spent.by_currency) == {"USD": pytest.approx(sum(costs.values()))}
    assert sum(costs.values()) > 0


async def test_each_target_says_which_source_is_down_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = tuple(Fault(Kind.ACCESS_DENIED, operation=each) for each in ("GetProducts", "ListServiceQuotas"))
    regions = ["us-east-1", "eu-west-1"]
    async with Simulator(regions=regions, faults=Faults(denied)) as sim:
        lead_to(sim, monkeypatch)
        clock = SystemClock()
        async with App.open(Config.model_validate({"targets": [{"regions": regions}]}), clock) as app:
            assert await app.once()
            found = status(app, clock.time())
    for target in found.targets:
        assert target.up
        assert target.sources == {"prices": False, "quotas": False}
        assert {error.operation for error in target.errors} == {"GetProducts", "ListServiceQuotas"}
    text = page.render(found, {})
    assert text.count("✗ prices down") == text.count("✗ quotas down") == len(regions)
    assert text.count("</time>: not allowed; the policy of the credentials") == 2 * len(regions)


def test_a_source_that_is_up_is_no_alarm_and_an_error_of_no_request_has_no_number() -> None:
    error = page.ErrorRow("PriceFile", "InvalidPrices", "2 invalid entries; the log has the first", 0.0, 0)
    target = page.TargetRow("1", "r", True, sources={"prices": True}, errors=(error,))
    text = page.render(page.Status("1", 0.0, 0.0, True, (target,), ()), {})
    assert '<span class="quiet">prices up</span>' in text
    assert "in <code>PriceFile</code>, last" in text
