"""A target that cannot be reached has its region all the same."""

from __future__ import annotations

import asyncio
import math

import pytest

from exporter.polling.api import IDENTITY, ApiError
from exporter.service import Service
from tests.polling import virtual_time
from tests.polling.world import Region, jobs
from tests.service.regions import ACCOUNT, Regions, config, serving, text

REGIONS = ("us-east-1", "eu-west-1")


class Identity:
    """STS: it fails with a code, hangs, or answers."""

    def __init__(self, code: str = "", hangs: bool = False) -> None:
        self.code, self.hangs = code, hangs

    async def __call__(self) -> str:
        if self.hangs:
            await asyncio.sleep(math.inf)
        if self.code:
            raise ApiError(IDENTITY, self.code)
        return ACCOUNT


def use(patch: pytest.MonkeyPatch, identity: Identity, default: str | None = None) -> Regions:
    regions = {name: Region([]) for name in REGIONS}
    for one in regions.values():
        one.jobs = jobs(3, one.clock.time() - 3600)
    sessions = Regions(regions, identity, default)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: sessions)
    return sessions


async def ups(service: Service) -> list[str]:
    found = [line for line in (await text(service)).splitlines() if line.startswith("sagemaker_exporter_target_up{")]
    return sorted(line.removeprefix("sagemaker_exporter_target_up") for line in found)


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
