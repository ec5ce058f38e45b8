"""Test faults of the simulated API with AWS's own client: errors, invalid and slow responses, rate limits."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from exporter.simulator import Fault, Faults, Kind, ManualClock, Simulator
from tests.simulator.served import ACCOUNT, REGION, SIGNED, START, Client, code, connected, post
from tests.simulator.test_operations import REQUEST


@pytest.mark.parametrize(
    ("kind", "expected", "status"),
    [
        (Kind.THROTTLE, "ThrottlingException", 400),
        (Kind.SERVER_ERROR, "InternalFailure", 500),
        (Kind.UNAVAILABLE, "ServiceUnavailable", 503),
        (Kind.ACCESS_DENIED, "AccessDeniedException", 400),
        (Kind.REGION_DISABLED, "UnrecognizedClientException", 400),
        (Kind.EXPIRED, "ExpiredTokenException", 400),
        (Kind.VALIDATION, "ValidationException", 400),
    ],
)
async def test_faults_that_are_error_answers(
    sim: Simulator, client: Client, kind: Kind, expected: str, status: int
) -> None:
    sim.faults = Faults((Fault(kind, operation="DescribeTrainingJob"),))
    assert len((await client.list_training_jobs())["TrainingJobSummaries"]) == 3
    with pytest.raises(ClientError) as caught:
        await client.describe_training_job(TrainingJobName="steady-000000")
    assert code(caught) == expected
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert sim.errors[ACCOUNT, REGION, "DescribeTrainingJob", expected] == 1
    sim.faults = Faults()
    await client.describe_training_job(TrainingJobName="steady-000000")


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.CUT])
async def test_faults_that_break_the_connection(sim: Simulator, client: Client, kind: Kind) -> None:
    sim.faults = Faults((Fault(kind),))
    with pytest.raises((BotoCoreError, aiohttp.ClientError)):
        await client.list_training_jobs()
    sim.faults = Faults()
    assert len((await client.list_training_jobs())["TrainingJobSummaries"]) == 3


@pytest.mark.parametrize("kind", [Kind.TRUNCATED, Kind.NOT_JSON, Kind.EMPTY])
async def test_faults_that_the_sdk_takes_for_an_empty_success(sim: Simulator, client: Client, kind: Kind) -> None:
    sim.faults = Faults((Fault(kind),))
    assert set(await client.describe_training_job(TrainingJobName="steady-000000")) == {"ResponseMetadata"}


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        (Kind.TRUNCATED, b'{"TrainingJobSummaries":[{', b""),
        (Kind.NOT_JSON, b"<html>", b"</html>"),
        (Kind.EMPTY, b"{}", b""),
    ],
)
async def test_broken_bodies(sim: Simulator, kind: Kind, start: bytes, end: bytes) -> None:
    sim.faults = Faults((Fault(kind),))
    status, body = await post(sim, "{}", SIGNED | {"X-Amz-Target": "SageMaker.ListTrainingJobs"})
    assert status == 200
    assert body.startswith(start)
    assert body.endswith(end)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body.removesuffix(b"{}"))


async def test_what_a_reset_hits_was_not_done_and_what_a_cut_hits_was(sim: Simulator, client: Client) -> None:
    for kind, done in ((Kind.RESET, False), (Kind.CUT, True)):
        sim.faults = Faults((Fault(kind),))
        with pytest.raises((BotoCoreError, aiohttp.ClientError)):
            await client.create_training_job(**{**REQUEST, "TrainingJobName": f"after-{kind}"})
        found = sim.store.jobs(ACCOUNT, REGION).find(f"after-{kind}", START)
        assert (found is not None) == done


class Watched(ManualClock):
    """Report when a task starts to sleep."""

    def __init__(self) -> None:
        super().__init__(START)
        self.asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await super().sleep(seconds)


async def test_slow_answers_take_their_time_on_the_clock() -> None:
    clock = Watched()
    async with Simulator(clock=clock, faults=Faults((Fault(Kind.SLOW, seconds=30),))) as sim, connected(sim) as client:
        asked = asyncio.create_task(client.list_training_jobs())
        await clock.asleep.wait()
        clock.advance(29)
        assert not asked.done()
        clock.advance(1)
        assert (await asked)["TrainingJobSummaries"] == []


async def test_sts_has_faults_too(sim: Simulator) -> None:
    async with connected(sim, "sts") as client:
        for kind, error in (
            (Kind.THROTTLE, ClientError),
            (Kind.RESET, BotoCoreError),
            (Kind.TRUNCATED, ResponseParserError),
        ):
            sim.faults = Faults((Fault(kind, operation="GetCallerIdentity"),))
            with pytest.raises(error):
                await client.get_caller_identity()
        sim.faults = Faults()
        assert (await client.get_caller_identity())["Account"] == ACCOUNT


async def test_rates_are_limited_per_operation(sim: Simulator, client: Client) -> None:
    sim.faults = Faults(rates={"ListTrainingJobs": 2})
    for _ in range(2):
        await client.list_training_jobs()
    with pytest.raises(ClientError, match="Rate exceeded") as caught:
        await client.list_training_jobs()
    assert code(caught) == "ThrottlingException"
    await client.describe_training_job(TrainingJobName="steady-000000")
    assert isinstance(sim.clock, ManualClock)
    sim.clock.advance(0.5)
    await client.list_training_jobs()
