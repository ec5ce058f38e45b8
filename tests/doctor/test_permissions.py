"""Test that what is said of permissions agrees with the policies, the catalogue and what a running exporter exports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.app import App
from exporter.catalogue import CATALOGUE
from exporter.config import Config
from exporter.doctor.permissions import PERMISSIONS, lost
from exporter.ledger.sums import TOTALS
from exporter.polling.api import ASSUME, IDENTITY
from exporter.simulator import Simulator
from tests.doctor.world import config, denied, simulated
from tests.e2e.exposed import Exposed
from tests.prometheus import ROOT

_POLICIES = ROOT / "deploy/iam"
# Sessions of EKS Pod Identity have tags, which go with them into a role: no operation of its own.
_TAGS_OF_SESSIONS = {("assume-role", "sts:TagSession")}
_ALL: dict[str, Any] = {
    "polling": {"list_rps": 1000.0, "describe_rps": 1000.0},
    "jobs": {"tags": ["*"], "hyperparameters": ["*"], "retention": 86400.0},
    "totals": {"backfill": 86400.0},
    "cloudwatch": {"utilization": ["cpu", "memory", "gpu", "gpu_memory", "disk"], "algorithm_metrics": ["*"]},
}


def test_every_action_of_a_policy_is_asked_about_and_no_other() -> None:
    documents = {path.stem: json.loads(path.read_text()) for path in _POLICIES.glob("*.json")}
    allowed = {
        (name, action)
        for name, policy in documents.items()
        for part in policy["Statement"]
        for action in part["Action"]
    }
    asked = {(each.policy, each.action) for each in PERMISSIONS.values() if each.policy}
    assert asked == allowed - _TAGS_OF_SESSIONS


@pytest.mark.long
async def test_what_is_lost_without_a_permission_is_what_a_denied_exporter_does_not_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(**_ALL)
    async with simulated(monkeypatch, jobs=40, accounts=("123456789012",)) as simulator:
        whole = await _exported(simulator, settings)
        assert {family.name for family in CATALOGUE if family.policy} - whole == set()
        for operation in ("ListTags", "GetProducts", "ListServiceQuotas", "GetMetricData"):
            simulator.faults = denied(operation)
            missing = whole - await _exported(simulator, settings)
            policy = PERMISSIONS[operation].policy
            assert missing == {family.name for family in CATALOGUE if family.policy == policy}, operation


async def _exported(simulator: Simulator, settings: Config) -> set[str]:
    """Return the names of the families that have samples."""
    async with App.open(settings, simulator.clock) as app:
        await app.once()
        text = b"".join([piece async for piece in app.board.metrics(openmetrics=False, gzip=False)]).decode()
    found = Exposed(text)
    names = {family.name for family in found.families if family.samples}
    return {family.name for family in CATALOGUE if {family.name, family.name.removesuffix("_total")} & names}


def test_everything_is_lost_without_the_jobs() -> None:
    number = len([family for family in CATALOGUE if not family.name.startswith("sagemaker_exporter_")])
    for operation in (IDENTITY, ASSUME, "ListTrainingJobs", "DescribeTrainingJob"):
        assert lost([PERMISSIONS[operation]], config()).startswith(f"all {number} families of the target")


def test_families_are_named_and_groups_that_are_lost_whole() -> None:
    assert lost([PERMISSIONS["ListTags"]], config()) == "sagemaker_training_job_tags"
    by_tags = lost([PERMISSIONS["ListTags"]], config(totals={"by_tags": ["team"]}))
    assert by_tags == f'sagemaker_training_job_tags, all {len(TOTALS.families)} of "Totals"'
    assert 'all 2 of "Quotas"' in lost([PERMISSIONS["ListServiceQuotas"]], config())
    assert "sagemaker_training_cost_total" in lost([PERMISSIONS["GetProducts"]], config())
    assert lost([PERMISSIONS["Search"]], config()) == ""
