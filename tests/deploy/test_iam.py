"""The exporter calls nothing that its policies do not allow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.simulator import Simulator, steady

_POLICIES = Path(__file__).parents[2] / "deploy/iam"
ACCOUNT = "123456789012"
FREE = {"sts:GetCallerIdentity"}


def _allowed(*names: str) -> set[str]:
    documents = [json.loads((_POLICIES / f"{name}.json").read_text()) for name in names]
    return {action for document in documents for statement in document["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize(
    ("strategy", "tags", "policies"),
    [
        ("describe", [], ["describe"]),
        ("describe", ["team"], ["describe", "tags"]),
        ("search", [], ["describe", "search"]),
        ("search", ["team"], ["describe", "search", "tags"]),
    ],
)
async def test_no_call_is_outside_the_policy(
    monkeypatch: pytest.MonkeyPatch, strategy: str, tags: list[str], policies: list[str]
) -> None:
    clock = SystemClock()
    polling = {"strategy": strategy, "list_rps": 100.0, "describe_rps": 500.0, "search_rps": 100.0}
    config = Config.model_validate(
        {"polling": polling, "targets": [{"regions": ["us-east-1"]}], "jobs": {"tags": tags}}
    )
    async with Simulator(clock=clock, seed=1, accounts=(ACCOUNT,), regions=("us-east-1",)) as simulator:
        simulator.store.add(ACCOUNT, "us-east-1", *steady(3, clock.time() - 600))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", simulator.access_key(ACCOUNT))
        async with App.open(config, clock) as app:
            assert await app.once()
        called = {operation for _, _, operation in simulator.calls}
    actions = {f"{'sts' if name in ('GetCallerIdentity', 'AssumeRole') else 'sagemaker'}:{name}" for name in called}
    assert actions - FREE
    assert actions - FREE <= _allowed(*policies)


def test_nothing_but_reading_is_allowed() -> None:
    verbs = tuple(f"sagemaker:{verb}" for verb in ("List", "Describe", "Search"))
    allowed = _allowed(*(path.stem for path in _POLICIES.glob("*.json")))
    assert all(action.startswith(verbs) or action == "sts:AssumeRole" for action in allowed)
