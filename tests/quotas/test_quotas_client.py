"""ListServiceQuotas as the exporter calls it: which pages, whose credentials, at which pace, which errors."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import orjson
import pytest

from exporter.aws.client import InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.servicequotas import AppliedQuotas, quota_limits
from exporter.aws.sessions import Role, Sessions
from exporter.clock import SystemClock
from exporter.polling.api import ENDLESS, ApiError, Calls
from exporter.quotas.applied import LIST_QUOTAS
from tests.unit.endpoint import Reply, answering, whole
from tests.virtual_time import LoopClock, run

REGION = "eu-west-1"


def page(*items: str, token: str | None = None) -> Reply:
    return whole(orjson.dumps({"Quotas": list(items), **({"NextToken": token} if token else {})}))


async def read(calls: Calls, role: Role | None = None) -> list[object]:
    clock = SystemClock()
    limiters = RateLimiters(quota_limits(10, 5.0), clock)
    quotas = AppliedQuotas(Sessions(5.0, 10), role, limiters, InFlight(10, 10), clock, calls)
    return [item async for items in quotas.items(REGION) for item in items]


@pytest.fixture(autouse=True)
def _one_endpoint_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS")


async def test_all_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, page("1", token="YQ=="), page("2", token="Yg=="), page("3")) as requests:
        assert await read(calls) == ["1", "2", "3"]
    asked = [orjson.loads(request) for request in requests]
    assert [each.pop("NextToken", None) for each in asked] == [None, "YQ==", "Yg=="]
    # Without QuotaAppliedAtLevel AWS lists what applies to the account.
    assert asked == [{"ServiceCode": "sagemaker", "MaxResults": 100}] * 3
    assert dict(calls.requests) == {LIST_QUOTAS: 3}


async def test_pages_without_end_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, page("1", token="YQ==")) as requests:
        with pytest.raises(ApiError) as failed:
            await read(calls)
    assert (failed.value.operation, failed.value.code) == (LIST_QUOTAS, ENDLESS)
    assert len(requests) == 2
    assert dict(calls.errors) == {(LIST_QUOTAS, ENDLESS): 1}


async def test_an_answer_without_a_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, whole(b"{}")):
        with pytest.raises(ApiError, match="ListServiceQuotas: InvalidResponse"):
            await read(Calls())


def test_at_most_five_calls_a_second() -> None:
    async def scenario() -> None:
        clock = LoopClock()
        limiters, turns = RateLimiters(quota_limits(10, 5.0), clock), list[float]()

        async def call() -> None:
            await limiters.wait(LIST_QUOTAS)
            turns.append(clock.monotonic())

        await asyncio.gather(*(call() for _ in range(18)))
        assert min(later - earlier for earlier, later in pairwise(turns)) >= 0.199

    run(scenario())
