"""Test that a client of any service has the limits, errors and counts of SageMaker's client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters, RateLimits
from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import AwsService, Sessions
from exporter.aws.transport import LARGEST
from exporter.clock import SystemClock
from exporter.polling.api import ApiError, Calls
from exporter.simulator.clock import ManualClock
from tests.unit.endpoint import Reply, answering, endless, trickle, whole

REGION = "us-east-1"
QUOTAS, READ = AwsService("service-quotas"), "ListServiceQuotas"
PARAMETERS = {"ServiceCode": "sagemaker", "MaxResults": 100}
LIMITS = RateLimits({(READ,): 1000.0}, 10, 5.0)
PAGE = whole(b'{"Quotas":[{"QuotaCode":"L-1","Value":8.0}]}')


def error(code: str) -> Reply:
    return whole(orjson.dumps({"__type": code, "message": "SECRET"}), status=b"400 Bad Request")


@asynccontextmanager
async def quotas(calls: Calls, limits: RateLimits = LIMITS) -> AsyncIterator[Client]:
    clock = SystemClock()
    async with Sessions(limits.timeout, 10).client(QUOTAS, REGION, None, calls) as sdk:
        yield Client(sdk, calls, RateLimiters(limits, clock), InFlight(10, 10), clock)


async def test_an_answer_is_the_json_that_it_is_and_its_date_is_aws_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    date = b"Date: Thu, 01 Jan 2026 12:00:00 GMT"
    calls, clock = Calls(), ManualClock(1_767_268_790)
    async with (
        answering(monkeypatch, whole(b'{"Quotas":[{"Value":8.0}]}', date)) as requests,
        Sessions(1.0, 10).client(QUOTAS, REGION, None, calls) as sdk,
    ):
        client = Client(sdk, calls, RateLimiters(LIMITS, clock), InFlight(1, 1), clock)
        assert await client.call(READ, PARAMETERS, listing="Quotas") == {"Quotas": [{"Value": 8.0}]}
        assert client.now() == 1_767_268_800
    assert [orjson.loads(request) for request in requests] == [PARAMETERS]
    assert dict(calls.requests) == {READ: 1}
    assert not calls.errors


@pytest.mark.parametrize(
    ("reply", "code", "sent"),
    [
        (error("AccessDeniedException"), "AccessDeniedException", 1),
        (error("TooManyRequestsException"), "TooManyRequestsException", 3),
        (error("NoSuchResourceException"), "NoSuchResourceException", 1),
        # For SageMaker this is a regular response: the job does not exist.
        (error("ResourceNotFound"), "ResourceNotFound", 1),
        (endless, "AnswerTooLarge", 1),
        (whole(b" " * (LARGEST + 1)), "AnswerTooLarge", 1),
        (whole(b"<html>"), "InvalidResponse", 1),
        (whole(b'{"Other":[]}'), "InvalidResponse", 1),
    ],
    ids=["denied", "throttled", "unknown", "gone", "endless", "large", "html", "hollow"],
)
async def test_what_goes_wrong_is_one_kind_of_error_and_is_counted(
    reply: Reply, code: str, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    async with answering(monkeypatch, reply) as requests, quotas(calls) as client:
        with pytest.raises(ApiError) as failed:
            await client.call(READ, PARAMETERS, listing="Quotas")
    assert (failed.value.operation, failed.value.code) == (READ, code)
    assert "SECRET" not in str(failed.value)
    assert (len(requests), dict(calls.requests)) == (sent, {READ: sent})
    assert dict(calls.errors) == {(READ, code): sent}


async def test_an_answer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, trickle), quotas(calls, replace(LIMITS, timeout=0.2)) as client:
        with pytest.raises(ApiError, match=f"{READ}: Timeout: no answer within polling.timeout"):
            await client.call(READ, PARAMETERS)
    assert dict(calls.errors) == {(READ, "Timeout"): 1}


@dataclass
class Endpoint:
    """Implement an SDK client that responds when a test tells it to, or hangs."""

    clock: ManualClock
    hangs: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    times: list[float] = field(default_factory=list)
    most: int = 0
    busy: int = 0

    async def list_service_quotas(self, **_: Any) -> dict[str, Any]:
        self.times.append(self.clock.monotonic())
        if self.hangs:
            raise TimeoutError
        self.busy += 1
        self.most = max(self.most, self.busy)
        await self.open.wait()
        self.busy -= 1
        return {"Quotas": []}

    get_service_quota = list_service_quotas


async def _turns(clock: ManualClock, seconds: float, steps: int) -> None:
    for _ in range(steps):
        for _ in range(10):
            await asyncio.sleep(0)
        clock.advance(seconds / steps)


async def test_operations_that_share_a_limit_are_called_at_even_distances_over_all_clients() -> None:
    clock = ManualClock()
    endpoint, limiters = Endpoint(clock), RateLimiters(RateLimits({(READ, "GetServiceQuota"): 4.0}, 10, 10.0), clock)
    endpoint.open.set()
    clients = [Client(endpoint, Calls(), limiters, InFlight(10, 10), clock) for _ in range(2)]
    calls = [asyncio.create_task(c.call(op, {})) for c in clients for op in (READ, "GetServiceQuota")]
    await _turns(clock, 1.0, 64)
    await asyncio.gather(*calls)
    assert endpoint.times == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("of_client", "of_all"), [(3, 10), (10, 3)])
async def test_calls_at_a_time_are_bounded_for_a_client_and_for_all(of_client: int, of_all: int) -> None:
    clock = ManualClock()
    endpoint, in_flight = Endpoint(clock), InFlight(of_all, of_all)
    limiters = RateLimiters(RateLimits({(READ,): 1e9}, of_client, 10.0), clock)
    client = Client(endpoint, Calls(), limiters, in_flight, clock)
    calls = [asyncio.create_task(client.call(READ, {})) for _ in range(8)]
    await _turns(clock, 1.0, 5)
    assert endpoint.most == 3
    endpoint.open.set()
    await _turns(clock, 1.0, 5)
    assert await asyncio.gather(*calls) == [{"Quotas": []}] * 8


async def test_a_service_that_hangs_holds_up_no_other() -> None:
    clock, in_flight = ManualClock(), InFlight(1, 1)
    endpoints = Endpoint(clock, hangs=True), Endpoint(clock)
    endpoints[1].open.set()
    limits = RateLimits({(READ,): 1000.0}, 10, 10.0)
    hanging, other = (Client(e, Calls(), RateLimiters(limits, clock), in_flight, clock) for e in endpoints)
    with pytest.raises(ApiError, match=f"{READ}: Timeout: no answer within polling.timeout"):
        await hanging.call(READ, {})
    async with in_flight.hanging:
        waiting = asyncio.create_task(hanging.call(READ, {}))
        await _turns(clock, 1.0, 5)
        assert await other.call(READ, {}) == {"Quotas": []}
        assert len(endpoints[0].times) == 1
    with pytest.raises(ApiError, match="Timeout"):
        await waiting


async def test_refused_credentials_are_read_again_for_any_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    calls = Calls()
    credentials.write_text("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n")
    async with answering(monkeypatch, PAGE, error("ExpiredTokenException"), PAGE) as requests, quotas(calls) as client:
        await client.call(READ, PARAMETERS)
        credentials.write_text("[default]\naws_access_key_id = AKIANEWER\naws_secret_access_key = newer\n")
        assert (await client.call(READ, PARAMETERS))["Quotas"]
    assert len(requests) == 3
    assert dict(calls.errors) == {(READ, "ExpiredTokenException"): 1}


async def test_a_call_of_any_service_is_one_line_of_the_debug_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        async with answering(monkeypatch, PAGE), quotas(Calls()) as client:
            await client.call(READ, PARAMETERS)
    (line,) = [vars(r)["fields"] for r in caplog.records if r.name == "exporter.aws.calls"]
    assert line.pop("duration_seconds")
    assert line == {"operation": READ, "target": f"own account/{REGION}", "attempts": 1, "status": 200}


def test_only_sagemaker_answers_with_an_error_that_there_is_no_such_thing() -> None:
    gone = {"Code": "ResourceNotFound"}
    assert SAGEMAKER.is_answer(gone)
    assert not QUOTAS.is_answer(gone)
