"""Test how much of a response is read, and responses that are too long, compressed, late or truncated."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from exporter.aws.client import Client, InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SAGEMAKER, SageMaker, rate_limits
from exporter.aws.sessions import Sessions
from exporter.aws.transport import LARGEST, LARGEST_XML
from exporter.clock import SystemClock
from exporter.polling.api import ApiError, Calls, CreatedBetween
from tests.unit.endpoint import Reply, answering, cut, endless, late, trickle, whole

REGION = "us-east-1"
LIMITS = rate_limits(1000.0, 1000.0, 1000.0, 10, 1.0)
ALL = CreatedBetween(None, None)


@asynccontextmanager
async def sagemaker(calls: Calls) -> AsyncIterator[SageMaker]:
    async with Sessions(LIMITS.timeout, 10).client(SAGEMAKER, REGION, None, calls) as client:
        clock = SystemClock()
        yield SageMaker(Client(client, calls, RateLimiters(LIMITS, clock), InFlight(10, 10), clock))


@pytest.mark.parametrize(
    "answer",
    [
        whole(b'{"a":"' + b"x" * LARGEST + b'"}'),
        endless,
        whole(b"{" * (LARGEST + 1), status=b"400 Bad Request"),
    ],
    ids=["whole", "endless", "error"],
)
async def test_an_answer_that_is_too_large_is_not_read(answer: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, answer) as requests, sagemaker(calls) as api:
        tracemalloc.start()
        with pytest.raises(ApiError, match="larger than any of AWS's should be") as failure:
            await api.describe("a")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert failure.value.code == "AnswerTooLarge"
    assert failure.value.isolated
    assert len(requests) == 1
    assert dict(calls.errors) == {("DescribeTrainingJob", "AnswerTooLarge"): 1}
    # What is sent is in this process too.
    assert peak < 4 * LARGEST


async def test_an_answer_of_sts_may_be_shorter_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, whole(b"<a>" + b" " * LARGEST_XML + b"</a>")):
        with pytest.raises(ApiError, match="GetCallerIdentity: AnswerTooLarge"):
            await Sessions(LIMITS.timeout, 10).account(REGION, None)


async def test_an_answer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, trickle):
        with pytest.raises(ApiError, match="GetCallerIdentity: Timeout"):
            await Sessions(0.2, 10).account(REGION, None)


async def test_the_largest_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps({"TrainingJobName": "x" * (LARGEST - 100)})
    async with answering(monkeypatch, whole(body)), sagemaker(Calls()) as api:
        answer = await api.describe("a")
    assert answer is not None
    assert len(answer["TrainingJobName"]) == LARGEST - 100


async def test_a_packed_answer_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b" " * 50 * LARGEST)
    assert len(bomb) < LARGEST
    async with answering(monkeypatch, whole(bomb, b"Content-Encoding: gzip")), sagemaker(Calls()) as api:
        with pytest.raises(ApiError, match="InvalidResponse"):
            await api.describe("a")


@pytest.mark.parametrize(("broken", "code"), [(cut, "ConnectionError"), (late, "Timeout")], ids=["cut", "late"])
async def test_what_is_cut_off_or_late_is_asked_for_again(
    broken: Reply, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    async with answering(monkeypatch, broken, whole(b'{"TrainingJobName":"a"}')), sagemaker(calls) as api:
        assert await api.describe("a") == {"TrainingJobName": "a"}
    assert dict(calls.errors) == {("DescribeTrainingJob", code): 1}


async def test_a_page_of_search_that_is_too_large_is_asked_for_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    page = whole(b'{"Results":[]}')
    large = whole(b" " * (LARGEST + 1))
    async with answering(monkeypatch, large, page) as requests, sagemaker(Calls()) as api:
        assert (await api.search_created(ALL, None)).jobs == []
        assert (await api.search_created(ALL, None)).jobs == []
    assert [orjson.loads(request)["MaxResults"] for request in requests] == [100, 10, 10]


async def test_a_small_page_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, whole(b" " * (LARGEST + 1))) as requests, sagemaker(Calls()) as api:
        with pytest.raises(ApiError, match="AnswerTooLarge"):
            await api.search_created(ALL, None)
    assert len(requests) == 2
