"""Test that configured targets that are the same account and region are polled once."""

from __future__ import annotations

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.simulator import Simulator, steady

ACCOUNT = "123456789012"


async def test_the_own_account_and_a_role_in_it_are_not_both_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    role = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-exporter"
    targets = [{"regions": ["us-east-1"]}, {"regions": ["us-east-1"], "role_arn": role}]
    config = Config.model_validate({"targets": targets, "polling": {"list_rps": 100.0, "describe_rps": 100.0}})
    async with Simulator(clock=clock, seed=1, accounts=(ACCOUNT,), regions=("us-east-1",)) as simulator:
        simulator.store.add(ACCOUNT, "us-east-1", *steady(2, clock.time() - 600))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", simulator.access_key(ACCOUNT))
        async with App.open(config, clock) as app:
            assert not await app.once()
            ups = sorted(str(runner.health.up) for runner in app.runners)
            codes = {code for runner in app.runners for _, code in runner.health.last_errors}
        assert ups == ["False", "True"]
        assert codes == {"DuplicateTarget"}
        assert simulator.calls[ACCOUNT, "us-east-1", "DescribeTrainingJob"] == 2
