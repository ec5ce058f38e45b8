"""GetMetricData as the exporter calls it: moto's CloudWatch, which others wrote, and answers of every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.model
import orjson
import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from exporter.aws.client import Client, InFlight
from exporter.aws.cloudwatch import CLOUDWATCH, CloudWatch, cloudwatch_limits
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.clock import SystemClock
from exporter.cloudwatch.api import BATCH, GET_METRIC_DATA, HOST, JOB_NAME, Metric, Series
from exporter.polling.api import ApiError, Calls
from tests.unit.endpoint import answering, whole

REGION = "us-east-1"
GPU = Metric("GPUUtilization", HOST, "a-job/algo-1")
LOSS = Metric("train:loss", JOB_NAME, "a-job")
ABSENT = Metric("GPUUtilization", HOST, "a-job/algo-2")


@asynccontextmanager
async def client(requested: list[int], calls: Calls | None = None) -> AsyncIterator[CloudWatch]:
    clock, counted = SystemClock(), calls or Calls()
    async with Sessions(10.0, 10).client(CLOUDWATCH, REGION, None, counted) as sdk:
        limiters = RateLimiters(cloudwatch_limits(5, 10.0), clock)
        yield CloudWatch(Client(sdk, counted, limiters, InFlight(5, 5), clock), requested.append)


@pytest.fixture
def moto() -> Iterator[str]:
    """The URL of a moto server without any metric: its data belongs to the process."""
    get_backend("cloudwatch").reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("protocol", ["json", "query"])
async def test_values_of_moto_are_read_whatever_protocol_the_sdk_chooses(
    moto: str, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto)
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=3)
    told: list[Any] = [
        {
            "MetricName": metric.name,
            "Dimensions": [{"Name": metric.dimension, "Value": metric.value}],
            "Timestamp": minute + timedelta(minutes=later),
            "Value": value,
        }
        for metric, later, value in ((GPU, 0, 42.0), (GPU, 1, 84.0), (LOSS, 1, 0.25))
    ]
    boto3.client("cloudwatch", REGION, endpoint_url=moto).put_metric_data(
        Namespace="/aws/sagemaker/TrainingJobs", MetricData=told
    )
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (protocol,))
    requested: list[int] = []
    calls = Calls()
    async with client(requested, calls) as source:
        start = minute.timestamp() - 300
        found = await source.read([GPU, ABSENT, LOSS], start, start + 600)
        assert abs(source.now() - datetime.now(UTC).timestamp()) < 60
    assert [value for _, value in found[GPU].points][:2] == [84.0, 42.0]
    assert [time for time, _ in found[GPU].points] == [minute.timestamp() + 60, minute.timestamp()]
    assert [value for _, value in found[LOSS].points] == [0.25]
    assert not found[ABSENT].points
    assert found[ABSENT].usable
    assert requested == [3]
    assert dict(calls.requests) == {GET_METRIC_DATA: 1}


async def test_a_full_batch_is_one_call(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto)
    requested: list[int] = []
    calls = Calls()
    async with client(requested, calls) as source:
        many = [Metric("GPUUtilization", HOST, f"job-{number}/algo-1") for number in range(BATCH)]
        assert (await source.read(many, 0.0, 600.0)).keys() == set(many)
    assert requested == [500]
    assert dict(calls.requests) == {GET_METRIC_DATA: 1}


def result(number: int, *points: tuple[float, float], status: str = "Complete", **more: Any) -> dict[str, Any]:
    times, values = [time for time, _ in points], [value for _, value in points]
    return {"Id": f"q{number}", "Label": "x", "Timestamps": times, "Values": values, "StatusCode": status, **more}


async def read(monkeypatch: pytest.MonkeyPatch, *bodies: dict[str, Any]) -> dict[Metric, Series]:
    monkeypatch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH", raising=False)
    replies = [whole(orjson.dumps(body)) for body in bodies]
    async with answering(monkeypatch, *replies) as requests, client([]) as source:
        found = await source.read([GPU, ABSENT, LOSS], 0.0, 600.0)
    asked = [orjson.loads(each) for each in requests]
    assert {(each["StartTime"], each["EndTime"], each["ScanBy"]) for each in asked} == {(0, 600, "TimestampDescending")}
    assert [each.get("NextToken") for each in asked] == [None, *(body["NextToken"] for body in bodies[:-1])]
    return dict(found)


async def test_partial_results_go_on_on_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    first = [result(0, (180.0, 3.0), status="PartialData"), result(2, (60.0, 9.0))]
    second = [result(0, (120.0, 2.0), (60.0, 1.0))]
    found = await read(monkeypatch, {"MetricDataResults": first, "NextToken": "more"}, {"MetricDataResults": second})
    assert found[GPU] == Series(((180.0, 3.0), (120.0, 2.0), (60.0, 1.0)))
    assert found[LOSS].points == ((60.0, 9.0),)
    assert ABSENT not in found


async def test_statuses_that_are_no_success_are_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        result(0, status="Forbidden"),
        result(1, status="InternalError"),
        result(2, (60.0, 1.0), status="PartialData"),
    ]
    found = await read(monkeypatch, {"MetricDataResults": told})
    assert [found[metric].usable for metric in (GPU, ABSENT, LOSS)] == [False, False, True]
    told = [result(0, status="InternalError")]
    later = [result(0, (60.0, 1.0))]
    found = await read(monkeypatch, {"MetricDataResults": told, "NextToken": "a"}, {"MetricDataResults": later})
    assert not found[GPU].usable


@pytest.mark.parametrize(
    "told",
    [
        {"Timestamps": [60], "Values": []},
        {"Timestamps": None, "Values": [1.0]},
        {"Timestamps": ["1970"], "Values": [1.0]},
        {"Timestamps": [60], "Values": ["many"]},
        {"Timestamps": [True], "Values": [True]},
    ],
)
async def test_nonsense_says_nothing(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    strange: list[Any] = [{**result(0), **told}, {"Id": 7}, None, {"Id": "q99"}]
    found = await read(monkeypatch, {"MetricDataResults": strange})
    assert found == {GPU: Series(())}


async def test_an_answer_in_cbor_is_read_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service model prefers CBOR; a newer SDK may choose it."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH", raising=False)
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", ("smithy-rpc-v2-cbor",))

    def text(value: str) -> bytes:
        return bytes([0x60 + len(value)]) + value.encode()

    # {"MetricDataResults": [{"Id": "q0", "StatusCode": "Complete", "Timestamps": [epoch 120.0], "Values": [0.5]}]}
    moment = b"\xc1\xfb\x40\x5e\x00\x00\x00\x00\x00\x00"
    half = b"\xfb\x3f\xe0\x00\x00\x00\x00\x00\x00"
    entry = b"\xa4" + text("Id") + text("q0") + text("StatusCode") + text("Complete")
    entry += text("Timestamps") + b"\x81" + moment + text("Values") + b"\x81" + half
    body = b"\xa1" + text("MetricDataResults") + b"\x81" + entry
    headers = (b"smithy-protocol: rpc-v2-cbor", b"Content-Type: application/cbor")
    async with answering(monkeypatch, whole(body, *headers)), client([]) as source:
        assert dict(await source.read([GPU], 0.0, 600.0)) == {GPU: Series(((120.0, 0.5),))}


async def test_an_answer_without_results_is_an_error_and_was_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH", raising=False)
    requested: list[int] = []
    async with answering(monkeypatch, whole(b"{}")), client(requested) as source:
        with pytest.raises(ApiError, match="InvalidResponse"):
            await source.read([GPU, LOSS], 0.0, 600.0)
    assert requested == [2]


async def test_pages_that_never_end_cost_five_times_the_metrics_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS bills the metrics of each page, and max_metrics_per_hour counts one page a read."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_CLOUDWATCH", raising=False)
    requested: list[int] = []
    replies = [
        whole(orjson.dumps({"MetricDataResults": [result(0, (60.0 * number, 1.0))], "NextToken": str(number)}))
        for number in range(20, 0, -1)
    ]
    async with answering(monkeypatch, *replies), client(requested) as source:
        found = await source.read([GPU, LOSS], 0.0, 6000.0)
    assert requested == [2] * 5
    assert found[GPU].points[0] == (1200.0, 1.0)
