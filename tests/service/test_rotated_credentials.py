"""Test that credentials refused by AWS are reloaded while running: rotated files, revoked sessions, role sources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from exporter.app import App
from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import Role, Sessions
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.polling.api import ASSUME, IDENTITY, LIST, ApiError, Calls
from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from exporter.simulator.identity import access_key
from exporter.simulator.sts import Session
from tests.e2e.exposed import lead_to

pytestmark = pytest.mark.slow

ACCOUNT, OTHER, REGION = "123456789012", "210987654321", "us-east-1"
ROLE = Role(f"arn:aws:iam::{OTHER}:role/exporter")
FIRST, SECOND, FOREIGN = access_key(ACCOUNT, 1001), access_key(ACCOUNT, 1002), access_key(OTHER, 1003)


class Monotonic:
    """Implement a clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Keys:
    """Manage a shared credentials file whose keys AWS may refuse."""

    def __init__(self, file: Path, sim: Simulator) -> None:
        self._file, self._sim = file, sim
        self.write(FIRST)

    def write(self, key: str, name: str = "default") -> None:
        self._file.write_text(f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = x\n")

    def remove(self) -> None:
        self._file.unlink()

    def expire(self, *keys: str) -> None:
        for key in keys:
            self._sim.sts.sessions[key] = Session("arn:aws:sts::1:assumed-role/x/y", 0.0)

    def revive(self, key: str) -> None:
        del self._sim.sts.sessions[key]


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    async with Simulator(accounts=(ACCOUNT, OTHER)) as sim:
        for account in (ACCOUNT, OTHER):
            sim.store.add(account, REGION, *steady(1, time.time() - 600))
        lead_to(sim, monkeypatch)
        yield sim


@pytest.fixture
def keys(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return Keys(file, sim)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that grows each time the chain of credential providers is used."""
    made: list[object] = []
    load = Sessions._load_own

    async def counted(self: Sessions) -> Any:
        made.append(None)
        return await load(self)

    monkeypatch.setattr(Sessions, "_load_own", counted)
    return made


@asynccontextmanager
async def listing(role: Role | None, calls: Calls | None = None, clock: Monotonic | None = None) -> AsyncIterator[Any]:
    async with Sessions(5.0, 50, clock or Monotonic()).client(SAGEMAKER, REGION, role, calls or Calls()) as client:
        yield client.list_training_jobs


@pytest.mark.parametrize("role", [None, ROLE], ids=["own", "source of a role"])
async def test_a_rotated_file_is_read_again_and_no_call_fails(role: Role | None, sim: Simulator, keys: Keys) -> None:
    async with listing(role) as ask:
        await ask()
        keys.write(SECOND)
        keys.expire(FIRST, *sim.sts.sessions)
        answers = await asyncio.gather(*(ask() for _ in range(40)))
        assert all(len(answer["TrainingJobSummaries"]) == 1 for answer in answers)
        refused = sum(sim.errors.values())
        await ask()
        assert sum(sim.errors.values()) == refused


@pytest.mark.parametrize("role", [None, ROLE], ids=["own", "source of a role"])
async def test_a_file_that_is_rotated_late_is_read_at_once(role: Role | None, sim: Simulator, keys: Keys) -> None:
    async with listing(role) as ask:
        await ask()
        keys.expire(FIRST, *sim.sts.sessions)
        for _ in range(3):
            with pytest.raises(ClientError):
                await ask()
        keys.write(SECOND)
        await ask()


async def test_what_did_not_change_is_looked_for_once_a_minute(keys: Keys, loads: list[object]) -> None:
    clock = Monotonic()
    async with listing(None, clock=clock) as ask:
        await ask()
        keys.expire(FIRST)
        for minute in range(3):
            outcomes = await asyncio.gather(*(ask() for _ in range(20)), return_exceptions=True)
            assert all(isinstance(outcome, ClientError) for outcome in outcomes)
            assert len(loads) == 2 + minute
            clock.now += 61
        # The same keys are valid again: a region was enabled, or a policy corrected.
        keys.revive(FIRST)
        await ask()


async def test_a_hundred_targets_read_it_once(sim: Simulator, keys: Keys, loads: list[object]) -> None:
    sessions = Sessions(5.0, 50, Monotonic())
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(sessions.client(SAGEMAKER, REGION, None, Calls())) for _ in range(20)
        ]
        assert len(loads) == 1
        keys.write(SECOND)
        keys.expire(FIRST)
        await asyncio.gather(*(client.list_training_jobs() for client in clients))
    assert len(loads) == 2


async def test_a_role_whose_session_was_revoked_is_assumed_again(sim: Simulator, keys: Keys) -> None:
    async with listing(ROLE) as ask:
        await ask()
        keys.expire(*sim.sts.sessions)
        await ask()
    assert sum(n for (_, _, operation), n in sim.calls.items() if operation == ASSUME) == 2


async def test_a_region_that_knows_no_credentials_is_an_error_and_bounded(sim: Simulator, keys: Keys) -> None:
    sim.faults = Faults((Fault(Kind.REGION_DISABLED, operation=LIST),))
    async with listing(ROLE) as ask:
        for _ in range(10):
            with pytest.raises(ClientError, match="UnrecognizedClientException"):
                await ask()
    assert sum(n for (_, _, operation), n in sim.calls.items() if operation == ASSUME) == 2


async def test_a_file_that_is_gone_is_told_until_it_is_back(keys: Keys) -> None:
    async with listing(None) as ask:
        await ask()
        keys.expire(FIRST)
        keys.remove()
        for _ in range(3):
            with pytest.raises(Exception, match=r"NoCredentials: .* AWS_SHARED_CREDENTIALS_FILE names"):
                await ask()
        keys.write(SECOND)
        await ask()


async def test_who_the_exporter_is_is_found_out_with_rotated_keys(sim: Simulator, keys: Keys) -> None:
    sessions = Sessions(5.0, 50, Monotonic())
    keys.expire(FIRST)
    with pytest.raises(ApiError, match="ExpiredToken"):
        await sessions.account(REGION, None)
    keys.write(SECOND)
    assert await sessions.account(REGION, None) == ACCOUNT


async def test_keys_of_another_account_are_refused(sim: Simulator, keys: Keys) -> None:
    sessions, calls = Sessions(5.0, 50, Monotonic()), Calls()
    assert await sessions.account(REGION, None) == ACCOUNT
    async with sessions.client(SAGEMAKER, REGION, None, calls) as client:
        keys.expire(FIRST)
        keys.write(FOREIGN)
        for _ in range(2):
            with pytest.raises(Exception, match="AccountChanged"):
                await client.list_training_jobs()
        assert sim.calls[OTHER, REGION, LIST] == 0
        keys.write(SECOND)
        await client.list_training_jobs()


async def test_a_profile_that_comes_later_is_found(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "late")
    sessions = Sessions(5.0, 50)
    with pytest.raises(ApiError, match=r"NoSuchProfile: .*late"):
        await sessions.client(SAGEMAKER, REGION, ROLE, Calls()).__aenter__()
    keys.write(FIRST, "late")
    async with sessions.client(SAGEMAKER, REGION, ROLE, Calls()) as client:
        await client.list_training_jobs()


async def test_a_target_recovers_without_a_restart(sim: Simulator, keys: Keys) -> None:
    polling = {"list_rps": 100.0, "describe_rps": 100.0, "discovery_interval": "1s", "active_interval": "1s"}
    targets = [{"regions": [REGION]}, {"regions": [REGION], "role_arn": ROLE.arn}]
    config = Config.model_validate({"targets": targets, "polling": polling})

    async def until(up: bool) -> None:
        async with asyncio.timeout(30):
            while not all(runner.health.up is up for runner in app.runners):
                await asyncio.sleep(0.05)

    async with App.open(config, SystemClock()) as app:
        running = asyncio.create_task(app.run())
        await until(up=True)
        pollers = [runner.poller for runner in app.runners]
        keys.expire(FIRST, *sim.sts.sessions)
        await until(up=False)
        keys.write(SECOND)
        await until(up=True)
        assert [runner.poller for runner in app.runners] == pollers
        running.cancel()
        await asyncio.wait([running])
    assert sim.calls[ACCOUNT, REGION, IDENTITY] <= 4
