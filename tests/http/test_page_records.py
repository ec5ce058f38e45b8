"""Test the data that the application passes to the status page."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import Target
from exporter.replicas.leases import SingleProcess
from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from exporter.training.job import TrainingJob
from exporter.web import page
from exporter.web.status import job_status, status
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


async def test_the_page_knows_what_metrics_show_of_quotas_gpus_and_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "cloudwatch": {"utilization": ["gpu"], "algorithm_metrics": ["*"], "max_metrics_per_hour": 1_000_000},
        "totals": {"by_tags": ["team"]},
        "jobs": {"tags": ["project"]},
    }
    async with Simulator() as sim:
        sim.store.add("123456789012", "us-east-1", *steady(1, sim.clock.time() - 3600))
        lead_to(sim, monkeypatch)
        clock = SystemClock()
        async with App.open(Config.model_validate(settings), clock) as app:
            assert await app.once()
            found = status(app, clock.time())
            (one,) = found.jobs
            same = job_status(app, clock.time(), one.job.account, one.job.region, one.job.name)
            gone = job_status(app, clock.time(), one.job.account, "eu-west-1", one.job.name)
            shown = Exposed(b"".join([piece async for piece in app.board.metrics(False, False)]).decode())
    assert (found.owner_tag, found.measures_gpus, found.failed_within) == ("team", True, 86400.0)
    (target,) = found.targets
    assert target.quotas is not None
    assert target.quotas.all_instances == shown.value("sagemaker_training_quota_all_instances")
    assert target.known
    assert same.found == one
    assert gone.found is None
    assert one.utilization is not None
    ratios = shown.by("sagemaker_training_job_gpu_utilization_ratio", "host")
    assert {(host,): ratio for host, ratio in one.utilization.ratios["gpu"]} == ratios
    assert ratios
    live = shown.by("sagemaker_training_job_algorithm_metric", "metric_name")
    assert {(name,): each.value for name, each in one.algorithm.items()} == live
    assert live


@pytest.mark.parametrize(
    ("tags", "by_tags", "owner"),
    [
        ([], [], ""),
        (["project"], [], "project"),
        (["project", "team"], [], "team"),
        (["*"], [], "team"),
        (["project"], ["cost-center", "team"], "cost-center"),
    ],
)
async def test_the_owner_is_a_tag_that_is_allowed(tags: list[str], by_tags: list[str], owner: str) -> None:
    clock = SystemClock()
    config = Config.model_validate({"jobs": {"tags": tags}, "totals": {"by_tags": by_tags}})
    async with App.open(config, clock) as app:
        assert status(app, clock.time()).owner_tag == owner


class _Standby(SingleProcess):
    """The leases of a replica whose targets are all polled by others."""

    def expects(self, key: str, target: Target) -> bool:
        return False


async def test_of_a_target_of_another_replica_nothing_is_known() -> None:
    clock, config = SystemClock(), Config.model_validate({"targets": [{"regions": ["us-east-1"]}]})
    async with open_ledger("", clock.time) as ledger:
        found = status(App(config, clock, ledger, leases=_Standby()), clock.time())
    assert found.targets == (page.TargetRow("", "us-east-1", elsewhere=True),)
    assert not found.known
