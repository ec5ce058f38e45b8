"""What reading 1,000 active jobs costs: calls, metrics that AWS bills, and CPU. docs/cloudwatch.md has the figures."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
import pytest

from exporter.aws.client import Client, InFlight
from exporter.aws.cloudwatch import CLOUDWATCH, CloudWatch, cloudwatch_limits
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.catalogue import GROUPS
from exporter.clock import SystemClock
from exporter.cloudwatch.api import MetricSource
from exporter.cloudwatch.display import TargetDisplay
from exporter.cloudwatch.families import UTILIZATION_METRICS
from exporter.cloudwatch.planning import Selection
from exporter.cloudwatch.reader import Reader, ReaderSettings
from exporter.cloudwatch.readings import Readings
from exporter.exposition.board import Board
from exporter.polling.api import Calls
from exporter.prices.hardware import hardware_of
from exporter.training.job import Instances, TrainingJob

pytestmark = pytest.mark.slow

TARGET = ("123456789012", "us-east-1")
JOBS, INTERVAL = 1000, 300.0
# Milliseconds per job and minute. Measured: 0.009 with one metric, 0.04 with five; the bar of the design is 0.05.
MOST_MS = {1: 0.05, 5: 0.1}
_ANSWER = {"Label": "GPUUtilization", "StatusCode": "Complete"}


def jobs(number: int) -> list[TrainingJob]:
    one = {"status": "InProgress", "secondary_status": "Training", "started": 2.0, "instances": (_G5,)}
    named = (f"a-training-job-of-the-usual-length-{place:06d}" for place in range(number))
    return [
        TrainingJob(account=TARGET[0], region=TARGET[1], name=name, created=float(place), **one)  # type: ignore[arg-type]
        for place, name in enumerate(named)
    ]


_G5 = Instances("ml.g5.2xlarge", "", 1)


class Wire:
    """An HTTP response as botocore's parsers see it, which the client of the SDK gets without a socket."""

    def __init__(self, body: bytes) -> None:
        self.status_code, self.body, self.raw = 200, body, None
        self.headers: dict[str, str] = {}

    @property
    async def content(self) -> bytes:
        return self.body


def respond(request: Any) -> Wire:
    """Return 15 minutes of values for each metric of a request."""
    asked = orjson.loads(request.body)
    end = int(asked["EndTime"])
    times = list(range(end - 60, int(asked["StartTime"]) - 60, -60))
    results = [
        {"Id": each["Id"], **_ANSWER, "Timestamps": times, "Values": [37.25 + n for n, _ in enumerate(times)]}
        for each in asked["MetricDataQueries"]
    ]
    return Wire(orjson.dumps({"MetricDataResults": results, "Messages": []}))


@asynccontextmanager
async def source(calls: Calls, readings: Readings, spent: list[float]) -> AsyncIterator[MetricSource]:
    """A client of the SDK whose requests are answered in place; what the answers take goes to `spent`."""
    clock = SystemClock()

    async def answered(request: Any, **_: Any) -> Wire:
        began = time.process_time()
        found = respond(request)
        spent.append(time.process_time() - began)
        return found

    def requested(metrics: int) -> None:
        readings.requested += metrics

    async with Sessions(10.0, 10).client(CLOUDWATCH, TARGET[1], None, calls) as sdk:
        sdk.meta.events.register("before-send.cloudwatch.GetMetricData", answered)
        limiters = RateLimiters(cloudwatch_limits(5, 10.0), clock)
        yield CloudWatch(Client(sdk, calls, limiters, InFlight(5, 5), clock), requested)


@pytest.mark.parametrize(("kinds", "calls_a_read"), [(("gpu",), 2), (tuple(UTILIZATION_METRICS), 10)])
async def test_a_thousand_jobs_cost_what_is_said(kinds: Sequence[str], calls_a_read: int, record_property: Any) -> None:
    found, calls, readings, spent = jobs(JOBS), Calls(), Readings(0.0), list[float]()
    board = Board(GROUPS)

    def opened() -> AbstractAsyncContextManager[MetricSource]:
        return source(calls, readings, spent)

    reader = Reader(
        "/".join(TARGET),
        ReaderSettings(Selection(tuple(kinds)), INTERVAL, 1_000_000),
        lambda: found,
        lambda: True,
        hardware_of,
        opened,
        readings,
        TargetDisplay(board, TARGET),
        lambda error: pytest.fail(str(error)),
        SystemClock(),
    )
    async with opened() as client:
        await reader.tick(client)
        costs: list[float] = []
        for _ in range(5):
            readings.read = -math.inf
            spent.clear()
            began = time.process_time()
            await reader.tick(client)
            costs.append(time.process_time() - began - sum(spent))
    assert dict(calls.requests) == {"GetMetricData": 6 * calls_a_read}
    assert readings.requested == 6 * JOBS * len(kinds)
    shown: Mapping[str, int] = board.series()
    assert shown["sagemaker_training_job_gpu_utilization_ratio"] == JOBS
    milliseconds = min(costs) * 1000 / JOBS / (INTERVAL / 60)
    record_property("milliseconds_per_job_and_minute", milliseconds)
    assert milliseconds < MOST_MS[len(kinds)]
