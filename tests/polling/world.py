"""Simulate SageMaker in a region by a schedule of jobs, in place of the SDK's client, and run a poller on it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SageMaker, rate_limits
from exporter.ledger.ledger import Ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH, Calls
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.poller import Poller
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from tests.displays import Nowhere
from tests.virtual_time import LoopClock, background

TARGET = ("123456789012", "us-east-1")
INTERVAL, DISCOVERY, SETTLE = 30.0, 60.0, 120.0
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Job:
    """Hold when a job runs and when it is deleted, in Unix seconds."""

    name: str
    created: float
    ended: float = math.inf
    deleted: float = math.inf

    def answer(self, now: float) -> dict[str, Any]:
        over = self.ended <= now
        return {
            "TrainingJobName": self.name,
            "TrainingJobStatus": "Completed" if over else "InProgress",
            "SecondaryStatus": "Completed" if over else "Training",
            "CreationTime": self.created,
            "TrainingStartTime": self.created,
            "LastModifiedTime": self.ended if over else self.created,
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **({"TrainingEndTime": self.ended, "BillableTimeInSeconds": self.ended - self.created} if over else {}),
        }


def jobs(number: int, created: float, ended: float = math.inf, name: str = "job") -> list[Job]:
    return [Job(f"{name}-{n}", created + n / 1000, ended) for n in range(number)]


class Call(NamedTuple):
    """Hold a request: its time by the loop's clock, its operation, and its job."""

    at: float
    operation: str
    name: str = ""


@dataclass
class Region:
    """Replace a client of the SDK.

    The index of Search is `lag` seconds behind. Operations in `failing` fail with that code; an operation that `hangs`
    never responds. `crowd` counts the requests in flight of all regions that share it.
    """

    jobs: list[Job] = field(default_factory=list)
    lag: float = 0.0
    latency: float = 0.0
    hangs: bool = False
    failing: Mapping[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    crowd: Counter[str] = field(default_factory=Counter)
    clock: LoopClock = field(default_factory=LoopClock)

    async def list_training_jobs(self, **asked: Any) -> dict[str, Any]:
        after, before = asked.get("CreationTimeAfter", 0.0), asked.get("CreationTimeBefore", math.inf)
        now = await self._called(LIST)
        found = [job for job in self.jobs if after < job.created <= min(before, now) and now < job.deleted]
        chosen, more = _page(found, asked)
        answers = [job.answer(now) for job in chosen]
        summaries = [{key: answer[key] for key in answer if key in _SUMMARY} for answer in answers]
        return {"TrainingJobSummaries": summaries, **more}

    async def search(self, **asked: Any) -> dict[str, Any]:
        now = await self._called(SEARCH) - self.lag
        filters = asked["SearchExpression"]["Filters"]
        active = any(each["Name"] == "TrainingJobStatus" for each in filters)
        found = [job for job in self.jobs if job.created <= now < job.deleted and not (active and job.ended <= now)]
        chosen, more = _page(found, asked)
        return {"Results": [{"TrainingJob": {**job.answer(now), "Tags": []}} for job in chosen], **more}

    async def describe_training_job(self, **asked: Any) -> dict[str, Any]:
        name = asked["TrainingJobName"]
        now = await self._called(DESCRIBE, name)
        for job in self.jobs:
            if job.name == name and job.created <= now < job.deleted:
                return job.answer(now)
        raise error(DESCRIBE, "ResourceNotFound")

    def times(self, operation: str, since: float = 0.0) -> list[float]:
        return [call.at for call in self.calls if call.operation == operation and call.at >= since]

    def described(self, since: float = 0.0) -> dict[str, list[float]]:
        """Return when each job was described."""
        found: dict[str, list[float]] = {}
        for call in self.calls:
            if call.operation == DESCRIBE and call.at >= since:
                found.setdefault(call.name, []).append(call.at)
        return found

    async def _called(self, operation: str, name: str = "") -> float:
        self.calls.append(Call(self.clock.monotonic(), operation, name))
        self.crowd["now"] += 1
        self.crowd["peak"] = max(self.crowd["peak"], self.crowd["now"])
        try:
            if self.hangs:
                await asyncio.sleep(math.inf)
            if self.latency:
                await asyncio.sleep(self.latency)
            if code := self.failing.get(operation):
                raise error(operation, code)
        finally:
            self.crowd["now"] -= 1
        return self.clock.time()


_SUMMARY = ("TrainingJobName", "TrainingJobStatus", "SecondaryStatus", "CreationTime", "LastModifiedTime")


def error(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS of arn:aws:iam::1:role/secret"}}, operation)


def _page(found: Iterable[Job], asked: Mapping[str, Any]) -> tuple[Sequence[Job], dict[str, str]]:
    newest_first, start = sorted(found, key=lambda job: -job.created), int(asked.get("NextToken", 0))
    end = start + _PAGE
    return newest_first[start:end], {"NextToken": str(end)} if end < len(newest_first) else {}


def poller(
    region: Region,
    ledger: Ledger,
    *,
    search: bool = False,
    rps: float = 1000.0,
    lookback: float = 30.0,
    display: Display | None = None,
) -> Poller:
    """Return a poller with `rps` requests per second for each operation, and `lookback` in days."""
    clock, calls = LoopClock(), Calls()
    limiters = RateLimiters(rate_limits(rps, rps, rps, 20, 10.0), clock)
    api = SageMaker(Client(region, calls, limiters, InFlight(200, 200), clock))
    settings = PollerSettings(
        discovery_interval=DISCOVERY,
        active_interval=INTERVAL,
        settle=SETTLE,
        lookback=lookback * 86400.0,
        search=search,
        workers=20,
    )
    health = Health("/".join(TARGET), calls, clock.time)
    return assemble(TARGET, api, settings, ledger, display or Nowhere(), health, clock)


def polling(one: Poller) -> AbstractAsyncContextManager[None]:
    """Poll in the background while the block runs."""
    return background(one.run())
