"""Test the calls of GetProducts: endpoints, pages and errors."""

from __future__ import annotations

import orjson
import pytest
from botocore.loaders import create_loader

from exporter.aws.client import InFlight
from exporter.aws.pricing import PRICING, PriceLists, endpoint_region, pricing_limits
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.clock import SystemClock
from exporter.polling.api import ENDLESS, ApiError, Calls
from exporter.prices.products import GET_PRODUCTS, NO_ENDPOINT
from tests.unit.endpoint import Reply, answering, whole

REGION = "eu-west-1"


def page(*items: str, token: str | None = None) -> Reply:
    body = {"FormatVersion": "aws_v1", "PriceList": list(items), **({"NextToken": token} if token else {})}
    return whole(orjson.dumps(body))


async def read(calls: Calls, region: str = REGION) -> list[object]:
    clock = SystemClock()
    lists = PriceLists(
        Sessions(5.0, 10), RateLimiters(pricing_limits(10, 5.0), clock), InFlight(10, 10), clock, lambda _: calls
    )
    return [item async for items in lists.items(region) for item in items]


@pytest.fixture(autouse=True)
def _one_endpoint_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_PRICING")


async def test_all_pages_of_both_questions_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, page("1", token="a"), page("2"), page("3")) as requests:
        assert await read(calls) == ["1", "2", "3"]
    asked = [orjson.loads(request) for request in requests]
    assert [each.get("NextToken") for each in asked] == [None, "a", None]
    assert {(each["ServiceCode"], each["MaxResults"]) for each in asked} == {("AmazonSageMaker", 100)}
    filters = [{each["Field"]: (each["Type"], each["Value"]) for each in request["Filters"]} for request in asked]
    training = {"regionCode": ("TERM_MATCH", REGION), "component": ("TERM_MATCH", "Training")}
    spot = {"regionCode": ("TERM_MATCH", REGION), "platoinstancetype": ("TERM_MATCH", "SpotTraining")}
    assert filters == [training, training, spot]
    assert dict(calls.requests) == {GET_PRODUCTS: 3}


async def test_pages_without_end_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    async with answering(monkeypatch, page("1", token="a")) as requests:
        with pytest.raises(ApiError) as failed:
            await read(calls)
    assert (failed.value.operation, failed.value.code) == (GET_PRODUCTS, ENDLESS)
    assert len(requests) == 2
    assert dict(calls.errors) == {(GET_PRODUCTS, ENDLESS): 1}


async def test_an_answer_without_a_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, whole(b"{}")):
        with pytest.raises(ApiError, match="GetProducts: InvalidResponse"):
            await read(Calls())


async def test_govcloud_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, page("1")) as requests:
        with pytest.raises(ApiError, match=r"set prices\.file") as failed:
            await read(Calls(), "us-gov-west-1")
    assert failed.value.code == NO_ENDPOINT
    assert not requests


def test_every_partition_has_the_endpoints_that_the_sdk_knows() -> None:
    for partition in create_loader().load_data("endpoints")["partitions"]:
        known = partition["services"].get("api.pricing", {}).get("endpoints", {})
        for region in partition["regions"]:
            endpoint = endpoint_region(region)
            assert endpoint in known if known else endpoint is None, region
            assert endpoint == region or region not in known, region
    assert endpoint_region("eu-west-1") == endpoint_region("us-east-1") == "us-east-1"
    assert endpoint_region("eu-central-1") == "eu-central-1"
    assert endpoint_region("cn-north-1") == "cn-northwest-1"


async def test_the_client_of_a_region_is_one_of_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(monkeypatch, page("1")), Sessions(5.0, 10).client(PRICING, "cn-north-1", None, Calls()) as sdk:
        assert sdk.meta.region_name == "cn-northwest-1"
