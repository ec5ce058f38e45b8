"""Test credentials of roles: refreshed before they expire, requested in the target's region, sharing large objects."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.credentials import AioDeferredRefreshableCredentials
from botocore.httpsession import get_cert_path
from botocore.loaders import JSONFileLoader

from exporter.app import App
from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import Role, Sessions
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.polling.api import ASSUME, ApiError, Calls
from exporter.simulator import Fault, Faults, Kind, ManualClock, Simulator, steady
from tests.e2e.exposed import lead_to

ACCOUNT, OTHER, REGION = "123456789012", "210987654321", "us-east-1"
ROLE = Role(f"arn:aws:iam::{OTHER}:role/exporter")
HOUR = 3600.0


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """Run a simulator whose clock the SDK uses to decide whether credentials are about to expire."""
    clock = ManualClock()

    def timed(fetch: Any, method: str) -> Any:
        return AioDeferredRefreshableCredentials(fetch, method, lambda: datetime.fromtimestamp(clock.time(), UTC))

    monkeypatch.setattr("exporter.aws.sessions.AioDeferredRefreshableCredentials", timed)
    async with Simulator(clock=clock, accounts=(ACCOUNT, OTHER)) as sim:
        sim.store.add(OTHER, REGION, *steady(1, clock.time() - 600))
        lead_to(sim, monkeypatch)
        yield sim


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return a bundle of custom certificate authorities."""
    return str(shutil.copy(str(get_cert_path(True)), tmp_path / "authorities.pem"))


@asynccontextmanager
async def listing(region: str = REGION) -> AsyncIterator[Any]:
    async with Sessions(5.0, 50).client(SAGEMAKER, region, ROLE, Calls()) as client:
        yield client.list_training_jobs


def advance(sim: Simulator, seconds: float) -> None:
    assert isinstance(sim.clock, ManualClock)
    sim.clock.advance(seconds)


def assumed(sim: Simulator) -> int:
    return sum(n for (_, _, operation), n in sim.calls.items() if operation == ASSUME)


async def test_they_are_renewed_before_they_expire(sim: Simulator) -> None:
    async with listing() as ask:
        for _ in range(6 * 12):
            await ask()
            advance(sim, 300)
    # An hour each, renewed at the latest ten minutes before; not one call was refused.
    assert not sim.errors
    assert 6 <= assumed(sim) <= 9


@pytest.mark.parametrize("age", [0.0, HOUR - 800, HOUR - 300, 2 * HOUR], ids=["first", "early", "late", "expired"])
async def test_calls_that_come_together_renew_them_once(age: float, sim: Simulator) -> None:
    async with listing() as ask:
        if age:
            await ask()
            advance(sim, age)
        before = assumed(sim)
        answers = await asyncio.gather(*(ask() for _ in range(40)))
        assert assumed(sim) == before + 1
    assert all(len(answer["TrainingJobSummaries"]) == 1 for answer in answers)
    assert not sim.errors


async def test_a_renewal_that_fails_in_good_time_fails_no_call(sim: Simulator) -> None:
    async with listing() as ask:
        await ask()
        advance(sim, HOUR - 800)
        sim.faults = Faults((Fault(Kind.ACCESS_DENIED, operation=ASSUME),))
        await ask()
        sim.faults = Faults()
        await ask()
        assert assumed(sim) == 3
    assert {operation for _, _, operation, _ in sim.errors} == {ASSUME}


async def test_a_region_whose_sts_fails_fails_alone(sim: Simulator) -> None:
    sim.faults = Faults((Fault(Kind.REGION_DISABLED, region="ap-east-1", operation=ASSUME),))
    shared = Sessions(5.0, 50)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(shared.client(SAGEMAKER, region, ROLE, Calls()))
            for region in ("ap-east-1", REGION)
        ]
        outcomes = await asyncio.gather(*(c.list_training_jobs() for c in clients), return_exceptions=True)
    assert isinstance(outcomes[0], Exception)
    assert isinstance(outcomes[1], dict)
    assert {region for _, region, operation in sim.calls if operation == ASSUME} == {"ap-east-1", REGION}


async def test_without_credentials_of_its_own_it_says_so_and_looks_again(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Sessions(5.0, 50)
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(ApiError, match="no AWS credentials were found"):
            await shared.client(SAGEMAKER, REGION, ROLE, Calls()).__aenter__()
    async with shared.client(SAGEMAKER, REGION, ROLE, Calls()) as client:
        assert len((await client.list_training_jobs())["TrainingJobSummaries"]) == 1


@pytest.mark.long
async def test_the_models_of_the_services_are_loaded_once_for_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = JSONFileLoader.load_file

    def counted(self: JSONFileLoader, path: str) -> Any:
        read.append(path)
        return load(self, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    accounts = tuple(f"{number:012d}" for number in range(1, 11))
    regions = ("us-east-1", "eu-west-1", "eu-central-1")
    targets = [{"regions": regions, "role_arn": f"arn:aws:iam::{account}:role/exporter"} for account in accounts]
    config = Config.model_validate({"targets": targets})
    async with Simulator(accounts=accounts, regions=regions) as sim:
        for account in accounts:
            sim.store.add(account, regions[0], *steady(1, sim.clock.time() - 600))
        lead_to(sim, monkeypatch)
        async with App.open(config, SystemClock()) as app:
            assert await app.once()
            assert len(app.runners) == 30
    models = [path.split("/") for path in read if path.endswith("/service-2")]
    assert sorted(model[-3] for model in models) == ["pricing", "sagemaker", "service-quotas", "sts"]


async def test_the_authorities_to_trust_are_read_once_for_all_clients(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    loaded: list[object] = []

    class Counting(ssl.SSLContext):
        def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
            loaded.append(cafile)
            super().load_verify_locations(cafile, capath, cadata)

    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setattr("botocore.httpsession.SSLContext", Counting)
    shared = Sessions(5.0, 50)
    for account in (ACCOUNT, OTHER):
        async with shared.client(SAGEMAKER, REGION, Role(f"arn:aws:iam::{account}:role/exporter"), Calls()) as client:
            await client.list_training_jobs()
    assert assumed(sim) == 2
    # The custom bundle, if the environment names one. A new configuration reads it again.
    assert loaded == [bundle]
    async with Sessions(5.0, 50).client(SAGEMAKER, REGION, ROLE, Calls()) as client:
        await client.list_training_jobs()
    assert loaded == [bundle] * 2
