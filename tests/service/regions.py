"""Replace the SDK's sessions by simulated regions, and run a whole Service on them in virtual time."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from exporter.aws.sessions import AwsService, Role
from exporter.config import Config
from exporter.polling.api import Calls
from exporter.service import Service
from tests.sagemaker import Region
from tests.virtual_time import LoopClock

ACCOUNT, REGION = "123456789012", "us-east-1"
# The sources that these regions do not have.
OFF = {"prices": {"source": "none"}, "quotas": {"interval": "0s"}}


@dataclass
class Regions:
    """Replace the SDK's sessions:

    SageMaker by region; `identify` does what STS does for the environment's credentials.
    """

    regions: dict[str, Region]
    identify: Callable[[], Awaitable[str]]
    default: str | None = None
    made: Counter[str] = field(default_factory=Counter)

    def default_region(self) -> str | None:
        return self.default

    async def account(self, region: str, role: Role | None) -> str:
        return role.account if role else await self.identify()

    @asynccontextmanager
    async def client(self, service: AwsService, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Region]:
        self.made[region] += 1
        yield self.regions[region]


async def known() -> str:
    return ACCOUNT


def config(*regions: str, **sections: object) -> Config:
    targets = [{"regions": list(regions or (REGION,))}]
    return Config.model_validate({"targets": targets, **OFF, **sections})


@asynccontextmanager
async def serving(load: Callable[[], Config]) -> AsyncIterator[Service]:
    service = Service(load, LoopClock())
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def text(service: Service) -> str:
    return b"".join([piece async for piece in service.metrics(openmetrics=False, gzip=False)]).decode()


def total(exposition: str, family: str) -> float:
    """Return the sum of a family's samples, NaN if there are none."""
    values = [float(value) for value in re.findall(rf"^{family}(?:\{{.*\}})? (\S+)$", exposition, re.MULTILINE)]
    return sum(values) if values else math.nan
