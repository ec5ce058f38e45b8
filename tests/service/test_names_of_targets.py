"""Test that an unreachable target has its region, and is up only after a response of AWS."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.api import DESCRIBE, IDENTITY, ApiError
from exporter.service import Service
from tests import virtual_time
from tests.sagemaker import OPERATIONS, Region, jobs
from tests.service.regions import ACCOUNT, Regions, config, serving, text

REGIONS = ("us-east-1", "eu-west-1")


class Identity:
    """Replace STS: fail with a code, hang, or respond."""

    def __init__(self, code: str = "", hangs: bool = False) -> None:
        self.code, self.hangs = code, hangs

    async def __call__(self) -> str:
        if self.hangs:
            await asyncio.sleep(math.inf)
        if self.code:
            raise ApiError(IDENTITY, self.code)
        return ACCOUNT


def use(patch: pytest.MonkeyPatch, identity: Identity, default: str | None = None) -> Regions:
    regions = {name: Region() for name in REGIONS}
    for one in regions.values():
        one.jobs.add(*jobs(3))
    sessions = Regions(regions, identity, default)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: sessions)
    return sessions


async def ups(service: Service, family: str = "sagemaker_exporter_target_up") -> list[str]:
    found = [line for line in (await text(service)).splitlines() if line.startswith(f"{family}{{")]
    return sorted(line.removeprefix(family) for line in found)


def up(account: str, region: str, value: int) -> str:
    return f'{{aws_account_id="{account}",aws_region="{region}"}} {value}'


@pytest.mark.parametrize("code", ["NoCredentials", "EndpointConnectionError", "ExpiredToken", "Timeout"])
def test_a_target_without_an_account_has_its_region(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        identity = Identity(code)
        use(monkeypatch, identity)
        async with serving(lambda: config(*REGIONS)) as service:
            await asyncio.sleep(5)
            assert await ups(service) == [up("", "eu-west-1", 0), up("", "us-east-1", 0)]
            assert service.ready() == (True, "ready")
            identity.code = ""
            await asyncio.sleep(70)
            assert await ups(service) == [up(ACCOUNT, "eu-west-1", 1), up(ACCOUNT, "us-east-1", 1)]
            assert 'aws_account_id=""' not in await text(service)

    virtual_time.run(scenario())


def test_the_default_region_of_the_sdk_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch, Identity("NoCredentials"), default="eu-west-1")
        settings = config().model_copy(update={"targets": type(config())().targets})
        async with serving(lambda: settings) as service:
            assert service.ready() == (False, "waiting for eu-west-1")
            await asyncio.sleep(5)
            assert await ups(service) == [up("", "eu-west-1", 0)]
            (target,) = service.status().targets
            assert (target.account_id, target.region) == ("", "eu-west-1")

    virtual_time.run(scenario())


def test_a_target_is_not_up_before_aws_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        sessions = use(monkeypatch, Identity())
        one = sessions.regions["us-east-1"]
        one.failing = dict.fromkeys(OPERATIONS)
        async with serving(config) as service:
            await asyncio.sleep(20)
            assert sessions.made["us-east-1"] == 1
            assert await ups(service) == []
            assert not service.ready()[0]
            assert "sagemaker_exporter_target_last_success_timestamp_seconds{" not in await text(service)
            # The number of jobs is not known yet.
            assert "sagemaker_training_jobs{" not in await text(service)
            await asyncio.sleep(30)
            assert await ups(service) == [up(ACCOUNT, "us-east-1", 0)]
            assert service.ready()[0]
            one.failing = {}
            await asyncio.sleep(120)
            assert await ups(service) == [up(ACCOUNT, "us-east-1", 1)]

    virtual_time.run(scenario())


def test_answers_that_are_all_bad_make_a_target_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def never(**asked: Any) -> dict[str, Any]:
        await asyncio.sleep(math.inf)
        raise AssertionError

    async def scenario() -> None:
        one = use(monkeypatch, Identity()).regions["us-east-1"]
        settings = config(state={"path": str(tmp_path / "state.db")})
        async with serving(lambda: settings) as service:
            await asyncio.sleep(20)
            assert await ups(service) == [up(ACCOUNT, "us-east-1", 1)]
        monkeypatch.setattr(one, "list_training_jobs", never)
        one.failing = {DESCRIBE: "InternalFailure"}
        async with serving(lambda: settings) as service:
            await asyncio.sleep(20)
            # The jobs of the state file were asked for, and none was read.
            assert len(one.described(one.clock.monotonic() - 20)) == 3
            assert await ups(service) == [up(ACCOUNT, "us-east-1", 0)]

    virtual_time.run(scenario())


def test_a_target_that_had_no_credentials_stays_down_until_aws_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        identity = Identity("NoCredentials")
        sessions = use(monkeypatch, identity)
        sessions.regions["us-east-1"].failing = dict.fromkeys(OPERATIONS)
        async with serving(config) as service:
            await asyncio.sleep(5)
            identity.code = ""
            await asyncio.sleep(65)
            assert sessions.made["us-east-1"] == 1
            assert await ups(service) == [up(ACCOUNT, "us-east-1", 0)]

    virtual_time.run(scenario())


def test_a_target_whose_sts_hangs_shows_nothing_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch, Identity(hangs=True))
        async with serving(config) as service:
            await asyncio.sleep(20)
            assert await ups(service) == []
            assert service.ready() == (False, "waiting for us-east-1")

    virtual_time.run(scenario())


def test_a_target_is_held_once_its_account_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    held = "sagemaker_exporter_target_held"

    async def scenario() -> None:
        identity = Identity("NoCredentials")
        use(monkeypatch, identity)
        async with serving(lambda: config(*REGIONS)) as service:
            await asyncio.sleep(5)
            assert await ups(service, held) == []
            identity.code = ""
            await asyncio.sleep(600)
            assert await ups(service, held) == [up(ACCOUNT, "eu-west-1", 1), up(ACCOUNT, "us-east-1", 1)]

    virtual_time.run(scenario())
