"""Test the simulated API with AWS's own client: every operation, pages, accounts, counted requests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson
import pytest
from botocore.exceptions import ClientError

from exporter.simulator import ManualClock, Plan, Role, Simulator, describe, steady
from exporter.simulator.generator import DEMO_PACE
from exporter.simulator.shapes import SHAPES
from tests.simulator.served import ACCOUNT, REGION, SIGNED, START, Client, code, connected, post
from tests.simulator.test_operations import REQUEST


async def test_a_client_works_all_operations(sim: Simulator, client: Client) -> None:
    arn = (await client.create_training_job(**REQUEST))["TrainingJobArn"]
    described = await client.describe_training_job(TrainingJobName="mine")
    assert described["CreationTime"] == datetime.fromtimestamp(START, UTC)
    listed = await client.list_training_jobs(NameContains="mine", CreationTimeAfter=START - 10)
    assert [job["TrainingJobArn"] for job in listed["TrainingJobSummaries"]] == [arn]
    found = await client.search(
        Resource="TrainingJob", SearchExpression={"Filters": [{"Name": "TrainingJobName", "Value": "mine"}]}
    )
    assert found["Results"][0]["TrainingJob"]["Tags"] == [{"Key": "team", "Value": "vision"}]
    await client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert len((await client.list_tags(ResourceArn=arn))["Tags"]) == 2
    await client.stop_training_job(TrainingJobName="mine")
    assert isinstance(sim.clock, ManualClock)
    sim.clock.advance(3600)
    stopped = await client.describe_training_job(TrainingJobName="mine")
    assert stopped["TrainingJobStatus"] == "Stopped"
    await client.delete_training_job(TrainingJobName="mine")
    with pytest.raises(ClientError, match="Requested resource not found") as caught:
        await client.describe_training_job(TrainingJobName="mine")
    assert code(caught) == "ValidationException"
    assert sim.calls[ACCOUNT, REGION, "DescribeTrainingJob"] == 3
    assert sim.errors == {(ACCOUNT, REGION, "DescribeTrainingJob", "ValidationException"): 1}


async def test_paginators_walk_a_whole_fleet() -> None:
    plan = Plan(jobs=20, pace=DEMO_PACE)
    async with Simulator(clock=ManualClock(START), plan=plan, seed=5) as sim, connected(sim) as client:
        names = [
            job["TrainingJobName"]
            async for page in client.get_paginator("list_training_jobs").paginate(MaxResults=30)
            for job in page["TrainingJobSummaries"]
        ]
        found = [
            hit["TrainingJob"]["TrainingJobName"]
            async for page in client.get_paginator("search").paginate(Resource="TrainingJob", MaxResults=30)
            for hit in page["Results"]
        ]
        there = {life.name for life in sim.store.lives(START) if life.created <= START}
        assert len(names) > len(SHAPES)
        assert set(names) == set(found) == there
        assert len(names) == len(found) == len(there)


async def test_the_parser_of_the_sdk_keeps_every_key() -> None:
    async with Simulator(clock=ManualClock(START), plan=Plan(), seed=2) as sim, connected(sim) as client:
        await client.list_training_jobs()
        lives = [life for life in sim.store.lives(START) if life.created <= START]
        for life in lives[:: len(lives) // 60]:
            answer = await client.describe_training_job(TrainingJobName=life.name)
            del answer["ResponseMetadata"]
            assert set(answer) == set(describe(life, START))


async def test_accounts_and_regions_are_apart(sim: Simulator) -> None:
    async with connected(sim, key=sim.access_key("999999999999")) as other:
        assert (await other.list_training_jobs())["TrainingJobSummaries"] == []
    async with connected(sim, region="eu-west-1") as other:
        assert (await other.list_training_jobs())["TrainingJobSummaries"] == []
    async with connected(sim, key="AKIAIOSFODNN7EXAMPLE") as default:
        assert len((await default.list_training_jobs())["TrainingJobSummaries"]) == 3
    assert set(sim.calls) == {
        ("999999999999", REGION, "ListTrainingJobs"),
        (ACCOUNT, "eu-west-1", "ListTrainingJobs"),
        (ACCOUNT, REGION, "ListTrainingJobs"),
    }


async def test_roles_lead_to_other_accounts_until_their_session_ends(sim: Simulator) -> None:
    role = "arn:aws:iam::210987654321:role/exporter"
    sim.store.add("210987654321", REGION, *steady(1, START - 10))
    sim.sts.roles = {role: Role(external_id="id")}
    async with connected(sim, "sts") as client:
        assert (await client.get_caller_identity())["Account"] == ACCOUNT
        with pytest.raises(ClientError) as caught:
            await client.assume_role(RoleArn=role, RoleSessionName="test")
        assert code(caught) == "AccessDenied"
        assumed = await client.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="id", DurationSeconds=900)
        assert assumed["Credentials"]["Expiration"] == datetime.fromtimestamp(START + 900, UTC)
        web = await client.assume_role_with_web_identity(
            RoleArn=role.replace("exporter", "web"), RoleSessionName="test", WebIdentityToken="token"
        )
        assert web["AssumedRoleUser"]["Arn"].endswith("assumed-role/web/test")
    key, token = assumed["Credentials"]["AccessKeyId"], assumed["Credentials"]["SessionToken"]
    async with (
        connected(sim, key=key, token=token) as client,
        connected(sim, "sts", key=key, token=token) as sts,
    ):
        assert len((await client.list_training_jobs())["TrainingJobSummaries"]) == 1
        assert isinstance(sim.clock, ManualClock)
        sim.clock.advance(900)
        with pytest.raises(ClientError) as caught:
            await client.list_training_jobs()
        assert code(caught) == "ExpiredTokenException"
        with pytest.raises(ClientError) as caught:
            await sts.get_caller_identity()
        assert code(caught) == "ExpiredToken"


async def test_requests_are_remembered_with_their_times(sim: Simulator, client: Client) -> None:
    assert isinstance(sim.clock, ManualClock)
    await client.list_training_jobs()
    sim.clock.advance(7)
    names = [f"steady-{number:06d}" for number in range(3)]
    await asyncio.gather(*(client.describe_training_job(TrainingJobName=name) for name in names))
    assert [(request.operation, request.time - START, request.monotonic) for request in sim.requests] == [
        ("ListTrainingJobs", 0, 0),
        *[("DescribeTrainingJob", 7, 7)] * 3,
    ]
    assert 1 <= sim.in_flight_peak <= 3


async def test_the_date_is_that_of_the_clock(sim: Simulator, client: Client) -> None:
    headers = (await client.list_training_jobs())["ResponseMetadata"]["HTTPHeaders"]
    assert parsedate_to_datetime(headers["date"]).timestamp() == START
    assert headers["x-amzn-requestid"]
    assert headers["content-type"] == "application/x-amz-json-1.1"


async def test_requests_that_are_none(sim: Simulator) -> None:
    async def ask(body: str, headers: dict[str, str]) -> tuple[int, str]:
        status, answer = await post(sim, body, headers)
        return status, orjson.loads(answer)["__type"]

    target = {"X-Amz-Target": "SageMaker.DescribeTrainingJob"}
    assert await ask("{}", target) == (403, "MissingAuthenticationTokenException")
    for body in ("[]", "{", "null"):
        assert await ask(body, SIGNED | target) == (400, "SerializationException")
    assert await ask("{}", SIGNED | {"X-Amz-Target": "SageMaker.CreateModel"}) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("service", "own"),
    [
        ("AWSPriceListService", "GetProducts"),
        ("ServiceQuotasV20190624", "ListServiceQuotas"),
        ("GraniteServiceVersion20100801", "GetMetricData"),
    ],
)
async def test_each_service_has_its_own_operations(sim: Simulator, service: str, own: str) -> None:
    for target in (f"{service}.ListTrainingJobs", f"SageMaker.{own}"):
        status, answer = await post(sim, "{}", SIGNED | {"X-Amz-Target": target})
        assert (status, orjson.loads(answer)["__type"]) == (400, "UnknownOperationException")


async def test_a_fleet_grows_while_time_passes() -> None:
    clock = ManualClock(START)
    async with Simulator(clock=clock, plan=Plan(jobs=40, pace=DEMO_PACE)) as sim, connected(sim) as client:
        before = await client.list_training_jobs(SortOrder="Descending", MaxResults=1)
        clock.advance(60)
        after = await client.list_training_jobs(SortOrder="Descending", MaxResults=100, CreationTimeAfter=START)
        assert before["TrainingJobSummaries"][0]["CreationTime"].timestamp() <= START + 0.001
        assert len(after["TrainingJobSummaries"]) > 5


def test_the_url_of_an_ipv6_address() -> None:
    assert Simulator(host="::1", port=8080).url == "http://[::1]:8080"
