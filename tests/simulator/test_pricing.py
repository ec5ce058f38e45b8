"""Test the simulated price list with AWS's own client."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from exporter.simulator import Fault, Faults, Kind, ManualClock, Prices, Simulator
from exporter.simulator.pricing import get_products
from tests.simulator.conformity import problems
from tests.simulator.served import ACCOUNT, REGION, START, Client, code, connected

OURS: dict[str, Any] = {"productFamily": "ML Instance", "locationType": "AWS Region", "component": "Training"}


def asked(region: str = REGION, **more: Any) -> dict[str, Any]:
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
    filters += [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in more.pop("fields", {}).items()]
    return {"ServiceCode": "AmazonSageMaker", "Filters": filters, **more}


def listed(prices: Prices | None = None, region: str = REGION, **fields: str) -> list[dict[str, Any]]:
    """Return all entries of the list, from all pages."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = get_products(asked(region, fields=fields, MaxResults=7, **token), prices or Prices())
        assert problems("GetProductsResponse", answer, "pricing") == []
        assert len(answer["PriceList"]) <= 7
        found += map(json.loads, answer["PriceList"])
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def price(item: dict[str, Any]) -> dict[str, str] | None:
    (term,) = item["terms"]["OnDemand"].values()
    return next((dimension["pricePerUnit"] for dimension in term["priceDimensions"].values()), None)


async def test_awss_client_reads_it_page_by_page() -> None:
    async with Simulator(clock=ManualClock(START)) as sim, connected(sim, "pricing") as client:
        pages = client.get_paginator("get_products").paginate(**asked(MaxResults=50))
        texts = [text async for page in pages for text in page["PriceList"]]
        assert [json.loads(text) for text in texts] == listed()
        assert sim.calls[ACCOUNT, REGION, "GetProducts"] == len(texts) // 50 + 1 > 1


def test_the_prices_are_those_that_aws_had() -> None:
    found = {
        item["product"]["attributes"]["usagetype"].partition(":")[2]: price(item)
        for item in listed(**OURS, platoinstancetype="Training")
    }
    assert found["ml.m5.xlarge"] == {"USD": "0.2300000000"}
    assert found["ml.g5.xlarge"] == {"USD": "1.4080000000"}
    assert "ml.r6i.large" not in found


def test_every_oddity_is_there() -> None:
    items = listed()
    attributes = [item["product"]["attributes"] for item in items]
    assert {item["product"]["productFamily"] for item in items} == {"ML Instance", "ML Storage"}
    assert {each.get("locationType") for each in attributes} == {"AWS Region", "AWS Local Zone"}
    assert {each["component"] for each in attributes} == {"Training", "SpotTraining", "Notebook", "Hosting"}
    assert {"SpotTraining", "TrainingFreeTier"} < {each.get("platoinstancetype") for each in attributes}
    assert {"NA", "ml.m5.large-Training", "ml.m5.xlarge"} < {each.get("instanceType") for each in attributes}
    assert any("instanceName" not in each and each["usagetype"].endswith("xlarge") for each in attributes)
    assert any(each["usagetype"].startswith("USE1-TrSpt:") for each in attributes)
    assert any(each["usagetype"].endswith("VolumeUsage.gp2") for each in attributes)


def test_china_is_in_its_own_currency_and_has_types_without_a_price() -> None:
    found = [price(item) for item in listed(region="cn-north-1", **OURS)]
    assert {currency for each in found if each for currency in each} == {"CNY"}
    assert None in found


def test_prices_can_be_exchanged() -> None:
    prices = Prices(training={"ml.m5.xlarge": "1"}, spot={}, warm_pool={"ml.m5.xlarge": "2"}, broken=("ml.m5.xlarge",))
    found = [price(item) for item in listed(prices, **OURS)]
    assert found == [{"USD": "-1"}, {"USD": "0.000"}, {"USD": "-1"}]
    assert prices.of(REGION, "ml.m5.xlarge") is None
    assert Prices().of(REGION, "ml.g5.xlarge", "spot_training") == Decimal("1.577")
    assert Prices().of("eu-west-1", "ml.m5.xlarge", "warm_pool") == Decimal("0.253")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"ServiceCode": "AmazonEC2"}, "NotFoundException"),
        ({"ServiceCode": "AmazonSageMaker", "MaxResults": 101}, "InvalidParameterException"),
        (asked(NextToken="page:100000"), "InvalidNextTokenException"),
        (asked(NextToken="other"), "InvalidNextTokenException"),
        (
            {"ServiceCode": "AmazonSageMaker", "Filters": [{"Type": "ANY_OF", "Field": "a", "Value": "b"}]},
            "InvalidParameterException",
        ),
    ],
)
async def test_what_cannot_be_asked(request_: dict[str, Any], expected: str) -> None:
    async with Simulator(clock=ManualClock(START)) as sim, connected(sim, "pricing") as client:
        with pytest.raises(ClientError) as caught:
            await client.get_products(**request_)
        assert code(caught) == expected


async def test_faults_strike_it_too(sim: Simulator) -> None:
    sim.faults = Faults((Fault(Kind.ACCESS_DENIED, operation="GetProducts"),))
    client: Client
    async with connected(sim, "pricing") as client:
        with pytest.raises(ClientError) as caught:
            await client.get_products(**asked())
        assert code(caught) == "AccessDeniedException"
        sim.faults = Faults((Fault(Kind.RESET, operation="GetProducts"),))
        with pytest.raises(Exception, match="Could not connect"):
            await client.get_products(**asked())
