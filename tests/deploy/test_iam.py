"""Test that the exporter calls only what its policies allow, and that they allow only what it calls."""

from __future__ import annotations

import asyncio
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.simulator import Simulator, steady
from tests.e2e.exposed import lead_to

_POLICIES = Path(__file__).parents[2] / "deploy/iam"
ACCOUNT, OTHER = "123456789012", "210987654321"
FREE = {"sts:GetCallerIdentity"}


def _statements(name: str) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads((_POLICIES / f"{name}.json").read_text())
    assert document["Version"] == "2012-10-17"
    return list(document["Statement"])


def _allowed(*names: str) -> set[str]:
    return {action for name in names for statement in _statements(name) for action in statement["Action"]}


def _config(
    strategy: str,
    tags: list[str],
    source: str = "api",
    quotas: str = "0s",
    utilization: tuple[str, ...] = (),
    **target: str,
) -> Config:
    rates = {"list_rps": 100.0, "describe_rps": 500.0, "search_rps": 100.0}
    intervals = {"discovery_interval": 1.0, "active_interval": 1.0, "settle": 1.0}
    targets = [{"regions": ["us-east-1"], **target}]
    polling = {"strategy": strategy, **rates, **intervals}
    sections = {"polling": polling, "targets": targets, "jobs": {"tags": tags}, "prices": {"source": source}}
    sources = {"quotas": {"interval": quotas}, "cloudwatch": {"utilization": utilization}}
    return Config.model_validate({**sections, **sources})


async def _called(
    config: Config, expected: set[str], monkeypatch: pytest.MonkeyPatch, *accounts: str
) -> set[tuple[str, str]]:
    """Return every action that is called, with its account, once all expected actions were called."""
    clock = SystemClock()
    async with Simulator(clock=clock, seed=1, accounts=accounts, regions=("us-east-1",)) as simulator:
        for account in accounts:
            simulator.store.add(account, "us-east-1", *steady(3, clock.time() - 600))
            # Jobs that end meanwhile are settled by describe with either strategy.
            simulator.store.add(account, "us-east-1", *steady(2, clock.time() - 600, "ends", seconds=512))
        lead_to(simulator, monkeypatch)
        async with App.open(config, clock) as app:
            polling = asyncio.create_task(app.run())
            try:
                async with asyncio.timeout(60):
                    while not expected <= {_action(operation) for _, _, operation in simulator.calls}:
                        await asyncio.sleep(0.05)
            finally:
                polling.cancel()
                await asyncio.wait([polling])
        return {(account, _action(operation)) for account, _, operation in simulator.calls}


def _action(operation: str) -> str:
    services = {"GetCallerIdentity": "sts", "AssumeRole": "sts", "GetProducts": "pricing"}
    services |= {"ListServiceQuotas": "servicequotas", "GetMetricData": "cloudwatch"}
    return f"{services.get(operation, 'sagemaker')}:{operation}"


@pytest.mark.parametrize(
    ("strategy", "tags", "source", "quotas", "policies"),
    [
        ("describe", [], "none", "0s", ["describe"]),
        ("describe", [], "api", "0s", ["describe", "prices"]),
        ("describe", [], "none", "12h", ["describe", "quotas"]),
        ("describe", [], "none", "0s", ["describe", "cloudwatch"]),
        ("describe", ["team"], "none", "0s", ["describe", "tags"]),
        ("search", [], "none", "0s", ["describe", "search"]),
        # Search returns tags. ListTags is needed only for jobs that the index does not have yet.
        ("search", ["team"], "api", "12h", ["describe", "search", "prices", "quotas"]),
    ],
)
async def test_no_call_is_outside_the_policy_and_no_policy_is_wider(
    monkeypatch: pytest.MonkeyPatch, strategy: str, tags: list[str], source: str, quotas: str, policies: list[str]
) -> None:
    allowed = _allowed(*policies)
    utilization = ("gpu",) if "cloudwatch" in policies else ()
    called = await _called(_config(strategy, tags, source, quotas, utilization), allowed, monkeypatch, ACCOUNT)
    assert {action for _, action in called} - FREE == allowed


async def test_another_account_is_read_by_its_own_role_and_only_prices_are_asked_of_the_own_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role = f"arn:aws:iam::{OTHER}:role/sagemaker-exporter"
    allowed, prices = _allowed("describe", "tags", "quotas", "cloudwatch"), _allowed("prices")
    config = _config("describe", ["team"], quotas="12h", utilization=("gpu",), role_arn=role)
    called = await _called(config, allowed | prices, monkeypatch, ACCOUNT, OTHER)
    assert {action for account, action in called if account == OTHER} == allowed
    assert {action for account, action in called if account == ACCOUNT} - FREE == {"sts:AssumeRole", *prices}
    assert fnmatchcase(role, _statements("assume-role")[0]["Resource"])


def test_nothing_but_reading_is_allowed() -> None:
    verbs = (*(f"sagemaker:{verb}" for verb in ("List", "Describe", "Search")), "pricing:Get", "servicequotas:List")
    verbs += ("cloudwatch:Get",)
    # EKS Pod Identity passes session tags, which needs TagSession. It permits nothing else.
    assuming = {"sts:AssumeRole", "sts:TagSession"}
    assert _allowed("assume-role") == assuming
    allowed = _allowed(*(path.stem for path in _POLICIES.glob("*.json")))
    assert all(action.startswith(verbs) for action in allowed - assuming)
