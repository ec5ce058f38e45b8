"""Test which entries of AWS's price list are prices of training instances, and how they are parsed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exporter.prices.book import Hardware
from exporter.prices.offers import BadOfferError, Offer, attributes_of, dimensions_of, offer
from exporter.training.usage import SPOT_TRAINING, TRAINING, WARM_POOL
from tests.prices.listed import REGION, Item, item, spot


def said(one: Item) -> Offer | None:
    return offer(attributes_of(one["product"]), dimensions_of(one["terms"]["OnDemand"]))


def test_an_entry_says_type_usage_price_and_hardware() -> None:
    assert said(item()) == Offer(REGION, "ml.m5.xlarge", TRAINING, "USD", Decimal("0.23"), Hardware(0, 4, 16 * 2**30))


@pytest.mark.parametrize(
    "attributes",
    [
        {"instanceType": "NA"},
        {"instanceType": "ml.m5.xlarge"},
        {"instanceName": None, "instanceType": None},
        {"instanceName": "NA"},
        {"usagetype": "Train:ml.m5.xlarge"},
        {"usagetype": "EUC1-Train:ml.m5.xlarge", "platoinstancetype": None},
        {"usagetype": None},
        {"component": None},
    ],
)
def test_whatever_is_missing_or_odd_the_type_and_the_usage_are_found(attributes: dict[str, Any]) -> None:
    found = said(item(**attributes))
    assert found is not None
    assert (found.instance_type, found.usage, found.price) == ("ml.m5.xlarge", TRAINING, Decimal("0.23"))


@pytest.mark.parametrize(
    ("one", "usage"),
    [
        (spot(), SPOT_TRAINING),
        (spot(component="SpotTraining"), SPOT_TRAINING),
        (item(platoinstancetype="SpotTraining"), SPOT_TRAINING),
        (item(usagetype="USE1-TrSpt:ml.m5.xlarge", platoinstancetype=None, component=None), SPOT_TRAINING),
        (item(usagetype="USE1-SpotTraining:ml.m5.xlarge"), SPOT_TRAINING),
        (item(platoinstancetype="Training Warm Pool"), WARM_POOL),
        (item(component="Training Warm Pool"), WARM_POOL),
        (item(component="WarmPool", platoinstancetype=None), WARM_POOL),
        (item(usagetype="USE1-TrainWarmPool:ml.m5.xlarge", platoinstancetype="TrainingWarmPool"), WARM_POOL),
    ],
)
def test_spot_and_warm_pools_are_usages_of_their_own(one: Item, usage: str) -> None:
    found = said(one)
    assert found is not None
    assert found.usage == usage


@pytest.mark.parametrize(
    "one",
    [
        item(family="ML Storage"),
        item(family=""),
        item(locationType="AWS Local Zone"),
        item(locationType="AWS Outposts"),
        item(locationType=None),
        item(component="Notebook", platoinstancetype="Notebook", usagetype="USE1-Notebk:ml.m5.xlarge"),
        item(component="Processing", platoinstancetype="Processing_DW", usagetype="USE1-Processing:ml.m5.xlarge"),
        item(component="studio-jupyterlab", platoinstancetype=None, usagetype="USE1-Studio:JupyterLab-ml.m5.xlarge"),
        item(component=None, platoinstancetype=None, usagetype="USE1-Host:ml.m5.xlarge"),
        item(component=None, platoinstancetype=None, usagetype="ml.m5.xlarge"),
        item(platoinstancetype="Cluster-Reserved"),
        item(platoinstancetype="TrainingFreeTier"),
        item("VolumeUsage.gp2", instanceName=None, instanceType=None),
    ],
)
def test_what_is_no_instance_that_trains_in_a_region_is_not_ours(one: Item) -> None:
    assert said(one) is None


@pytest.mark.parametrize("price", [None, "0.0000000000"])
def test_a_type_without_a_price_is_known_all_the_same(price: object) -> None:
    found = said(item(price=price))
    assert found is not None
    assert (found.price, found.hardware.vcpus) == (None, 4)


def test_china_is_priced_in_its_own_currency() -> None:
    found = said(item(currency="CNY", regionCode="cn-north-1"))
    assert found is not None
    assert (found.region, found.currency) == ("cn-north-1", "CNY")


@pytest.mark.parametrize(
    ("attributes", "hardware"),
    [
        ({"gpu": "N/A", "physicalGpu": "8", "memory": "1,952 GiB", "vCpu": "96"}, Hardware(8, 96, 1952 * 2**30)),
        ({"gpu": "8", "physicalGpu": "N/A", "memory": "2 TiB"}, Hardware(8, 4, 2 * 2**40)),
        ({"gpu": "N/A", "memory": "7.5 GiB"}, Hardware(None, 4, 15 * 2**29)),
        ({"gpu": None, "physicalGpu": None, "memory": "N/A", "vCpu": "NA"}, Hardware(None, None, None)),
        ({"gpu": "-1", "memory": "16 GB", "vCpu": "4.5"}, Hardware(None, None, None)),
    ],
)
def test_hardware_that_the_list_does_not_say_is_unknown(attributes: dict[str, str | None], hardware: Hardware) -> None:
    found = said(item(**attributes))  # type: ignore[arg-type]
    assert found is not None
    assert found.hardware == hardware


@pytest.mark.parametrize(
    ("one", "problem"),
    [
        (item(price="-0.23"), "the price -0.23 is negative"),
        (item(price="NaN"), "the price 'NaN' is not a number"),
        (item(price="1E+999999"), "the price '1E+999999' is not a number"),
        (item(price=0.23), "the price is not a string"),
        (item(unit="GB-Mo"), "the price is per 'GB-Mo', not per hour"),
        (item(unit=None), "the price is per 'None', not per hour"),
        (item(currency="dollars"), "'dollars' is not a currency"),
        (item(instanceName="NA", usagetype="USE1-Train:m5"), "has no instance type in instanceName or usagetype"),
        (item(regionCode=None), "has no regionCode"),
    ],
)
def test_an_entry_that_cannot_be_used_says_why(one: Item, problem: str) -> None:
    with pytest.raises(BadOfferError) as caught:
        said(one)
    assert str(caught.value) == problem


def test_an_entry_has_one_price_in_one_currency() -> None:
    two = item()
    (term,) = two["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    term["priceDimensions"]["second"] = dimension
    with pytest.raises(BadOfferError, match="has 2 prices instead of one"):
        said(two)
    del term["priceDimensions"]["second"]
    dimension["pricePerUnit"]["CNY"] = "1.6"
    with pytest.raises(BadOfferError, match="has a price in 2 currencies"):
        said(two)


@pytest.mark.parametrize("product", [None, [], {}, {"attributes": []}])
def test_what_is_no_product_at_all_is_an_entry_that_cannot_be_used(product: object) -> None:
    with pytest.raises(BadOfferError, match="has no attributes"):
        attributes_of(product)


@pytest.mark.parametrize(
    "terms", [None, [], {"a": 1}, {"a": {"priceDimensions": []}}, {"a": {"priceDimensions": {"b": 0}}}]
)
def test_terms_of_another_shape_have_no_price(terms: object) -> None:
    assert dimensions_of(terms) == []
