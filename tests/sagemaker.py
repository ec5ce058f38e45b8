"""Replace the SDK's client of SageMaker in one account and region by the simulator, and record every call."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SageMaker, rate_limits
from exporter.clock import Clock
from exporter.polling.api import DESCRIBE, LIST, SEARCH, TAGS, Calls
from exporter.simulator import Consistency, Life, Totals, total
from exporter.simulator.errors import ApiError
from exporter.simulator.life import COMPLETED, Group, Phase
from exporter.simulator.operations import Context, perform
from exporter.simulator.request import resource_config
from exporter.simulator.store import Jobs
from tests.virtual_time import LoopClock, Time, loop_time

OPERATIONS = (LIST, DESCRIBE, SEARCH, TAGS)
TARGET = ("123456789012", "us-east-1")
_GROUPS = (Group("ml.m5.large", 1),)
_SPEC = {"ResourceConfig": resource_config(_GROUPS, 30)}


class Call(NamedTuple):
    """Hold a request: its time by the monotonic clock, its operation, and the job that it is about."""

    at: float
    operation: str
    name: str = ""


class Region:
    """Respond as SageMaker does in one account and region.

    `failing` maps operations, and names of jobs that a call may be about, to error codes; with the code None the call
    never responds. `strike` is called with the operation and the job's name before each response, and may raise what
    the SDK raises. A response takes `latency` seconds, and has at most `page` jobs. `crowd` counts the requests in
    flight of all regions that share it. AWS's clock is that of `time`, whether or not the machine's is ahead.
    """

    def __init__(
        self,
        *lives: Life,
        consistency: Consistency | None = None,
        latency: float = 0.0,
        failing: Mapping[str, str | None] | None = None,
        crowd: Counter[str] | None = None,
        target: tuple[str, str] = TARGET,
        time: Time | None = None,
    ) -> None:
        self.jobs, self.target, self.time = Jobs(), target, time or loop_time()
        self.jobs.add(*lives)
        self.clock = LoopClock(self.time)
        self.consistency, self.latency, self.page = consistency or Consistency(), latency, 100
        self.failing: Mapping[str, str | None] = failing or {}
        self.strike: Callable[[str, str], None] = lambda operation, name: None
        self.crowd = Counter() if crowd is None else crowd
        self.calls: list[Call] = []

    async def list_training_jobs(self, **asked: Any) -> dict[str, Any]:
        return await self._called(LIST, {**asked, "MaxResults": min(self.page, asked["MaxResults"])})

    async def search(self, **asked: Any) -> dict[str, Any]:
        return await self._called(SEARCH, {**asked, "MaxResults": min(self.page, asked["MaxResults"])})

    async def describe_training_job(self, **asked: Any) -> dict[str, Any]:
        return await self._called(DESCRIBE, asked, asked["TrainingJobName"])

    async def list_tags(self, **asked: Any) -> dict[str, Any]:
        return await self._called(TAGS, asked, asked["ResourceArn"].rpartition("/")[2])

    def times(self, operation: str, since: float = 0.0) -> list[float]:
        return [call.at for call in self.calls if call.operation == operation and call.at >= since]

    def described(self, since: float = 0.0) -> dict[str, list[float]]:
        """Return when each job was described."""
        found: dict[str, list[float]] = {}
        for call in self.calls:
            if call.operation == DESCRIBE and call.at >= since:
                found.setdefault(call.name, []).append(call.at)
        return found

    def now(self) -> float:
        return self.time.now

    def truth(self) -> Totals:
        """Return the totals of everything that has happened so far."""
        return total(self.jobs.all(), self.now())

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the response to a call. Raises the simulator's ApiError."""
        return perform(operation, asked, Context(self.jobs, *self.target, self.now(), self.consistency))

    async def respond(self, operation: str, asked: dict[str, Any], name: str) -> dict[str, Any]:
        """Respond to a call, or fail as the SDK does."""
        codes = [self.failing[key] for key in (operation, name) if key in self.failing]
        if wait := math.inf if None in codes else self.latency:
            await asyncio.sleep(wait)
        if codes:
            raise error(operation, str(codes[0]))
        self.strike(operation, name)
        try:
            return self.perform(operation, asked)
        except ApiError as refused:
            raise error(operation, refused.code, refused.message) from None

    async def _called(self, operation: str, asked: dict[str, Any], name: str = "") -> dict[str, Any]:
        self.calls.append(Call(self.time.passed, operation, name))
        self.crowd["now"] += 1
        self.crowd["peak"] = max(self.crowd["peak"], self.crowd["now"])
        try:
            return await self.respond(operation, asked, name)
        finally:
            self.crowd["now"] -= 1


def error(operation: str, code: str, message: str = "said AWS of arn:aws:iam::1:role/secret") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def records(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the jobs in a response of List, Search or Describe."""
    if "Results" in answer:
        return [each["TrainingJob"] for each in answer["Results"]]
    found: list[dict[str, Any]] = answer.get("TrainingJobSummaries", [answer])
    return found


def api(sdk: object, calls: Calls, clock: Clock, rps: float = math.inf) -> SageMaker:
    """Return the exporter's own API over an SDK client, with `rps` requests per second for each operation."""
    limiters = RateLimiters(rate_limits(rps, rps, rps, 20, 10.0), clock)
    return SageMaker(Client(sdk, calls, limiters, InFlight(200, 200), clock))


def job(name: str, created: float | None = None, ended: float = math.inf, deleted: float = math.inf) -> Life:
    """Return a job that trains from its creation to its end, in Unix seconds. It was created an hour ago by default."""
    created = loop_time().now - 3600 if created is None else created
    training = Phase("Training", 0.0 if ended == math.inf else ended - created, on_instances=True)
    ending = None if ended == math.inf else COMPLETED
    return Life(name, created, (training,), ending, _GROUPS, _SPEC, settles_after=0.0, deleted=deleted)


def jobs(number: int, created: float | None = None, ended: float = math.inf, name: str = "job") -> list[Life]:
    """Return jobs a millisecond apart."""
    created = loop_time().now - 3600 if created is None else created
    return [job(f"{name}-{n}", created + n / 1000, ended) for n in range(number)]
