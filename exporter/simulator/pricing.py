"""AWS's Price List API: GetProducts of AmazonSageMaker, with the oddities that readers of the real list met.

Prices of us-east-1 that AWS had in September 2026 are its own: m5, r5, g4dn, g5.xlarge, g5.2xlarge, g6. The others are
about right. Other regions cost a tenth more, in China yuan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import orjson

from exporter.simulator.errors import ApiError

Wire = dict[str, Any]

SERVICE = "AmazonSageMaker"
OPERATION = "GetProducts"
_EFFECTIVE, _VERSION = "2026-09-01T00:00:00Z", "20260924235900"
TRAINING: Mapping[str, str] = MappingProxyType(
    {
        "ml.m5.large": "0.115",
        "ml.m5.xlarge": "0.230",
        "ml.m5.4xlarge": "0.922",
        "ml.r5.4xlarge": "1.210",
        "ml.g4dn.xlarge": "0.736",
        "ml.g5.xlarge": "1.408",
        "ml.g5.2xlarge": "1.515",
        "ml.g6.xlarge": "1.127",
        "ml.c5.2xlarge": "0.408",
        "ml.c5n.18xlarge": "4.666",
        "ml.g5.12xlarge": "7.090",
        "ml.p3.2xlarge": "3.825",
        "ml.p4d.24xlarge": "25.251",
        "ml.trn1.2xlarge": "1.545",
    }
)
# The meter of spot is one of its own, and was left where it was when AWS made training cheaper.
SPOT: Mapping[str, str] = MappingProxyType(
    {
        **{name: price for name, price in TRAINING.items() if name != "ml.trn1.2xlarge"},
        "ml.g5.xlarge": "1.577",
        "ml.p4d.24xlarge": "37.688",
    }
)
# vCPUs, memory, GPUs as the list writes them.
_HARDWARE = {
    "ml.m5.large": ("2", "8 GiB", "0"),
    "ml.m5.xlarge": ("4", "16 GiB", "0"),
    "ml.m5.4xlarge": ("16", "64 GiB", "0"),
    "ml.r5.4xlarge": ("16", "128 GiB", "0"),
    "ml.g4dn.xlarge": ("4", "16 GiB", "1"),
    "ml.g5.xlarge": ("4", "16 GiB", "1"),
    "ml.p4d.24xlarge": ("96", "1,152 GiB", "8"),
}
_PREFIXES = {"us-east-1": "USE1-", "us-east-2": "USE2-", "eu-west-1": "EU-", "eu-central-1": "EUC1-"}


@dataclass(frozen=True, slots=True)
class Prices:
    """What instances cost per hour in us-east-1, by type. `broken` types have an entry whose price is none."""

    training: Mapping[str, str] = field(default_factory=lambda: TRAINING)
    spot: Mapping[str, str] = field(default_factory=lambda: SPOT)
    warm_pool: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    broken: tuple[str, ...] = ()

    def of(self, region: str, instance_type: str, usage: str = "training") -> Decimal | None:
        """Return what an exact reader must find for a usage, with that of training where there is no other."""
        listed = {"spot_training": self.spot, "warm_pool": self.warm_pool}.get(usage, self.training)
        price = listed.get(instance_type) or self.training.get(instance_type)
        if price is None or instance_type in self.broken or (region, instance_type) in _UNPRICED:
            return None
        return Decimal(price) * (1 if region == "us-east-1" else Decimal("1.1"))


# In China some instances have no price at all.
_UNPRICED = {("cn-north-1", "ml.p4d.24xlarge"), ("cn-northwest-1", "ml.p4d.24xlarge")}


def get_products(request: Wire, prices: Prices) -> Wire:
    """Answer a request with a page of the list. Raises ApiError."""
    if request.get("ServiceCode") != SERVICE:
        raise ApiError("NotFoundException", f"The service {request.get('ServiceCode')} is not simulated.")
    filters = request.get("Filters", [])
    if any(each.get("Type") != "TERM_MATCH" for each in filters):
        raise ApiError("InvalidParameterException", "Only TERM_MATCH is simulated.")
    size = request.get("MaxResults", 100)
    if not isinstance(size, int) or not 1 <= size <= 100:
        raise ApiError("InvalidParameterException", "MaxResults must be between 1 and 100.")
    wanted = {each["Field"]: each["Value"] for each in filters}
    found = [item for item in _items(wanted.get("regionCode", "us-east-1"), prices) if _matches(item, wanted)]
    start = _start(request.get("NextToken"), len(found))
    answer = {"FormatVersion": "aws_v1", "PriceList": [_text(item) for item in found[start : start + size]]}
    return {**answer, "NextToken": f"page:{start + size}"} if start + size < len(found) else answer


def _text(item: Wire) -> str:
    return orjson.dumps(item).decode()


def _start(token: object, length: int) -> int:
    if token is None:
        return 0
    number = str(token).removeprefix("page:")
    if not number.isdecimal() or int(number) >= length:
        raise ApiError("InvalidNextTokenException", "The pagination token is invalid.")
    return int(number)


def _matches(item: Wire, wanted: Mapping[str, str]) -> bool:
    product = item["product"]
    values = {**product["attributes"], "productFamily": product["productFamily"]}
    return all(values.get(name, "").lower() == value.lower() for name, value in wanted.items())


def _items(region: str, prices: Prices) -> Iterator[Wire]:
    """Yield everything that the list has for a region, whoever asks for what."""
    for number, (name, price) in enumerate(prices.training.items()):
        yield _priced(region, name, price, prices, "Training", "Train", _instance_type(name, number))
        # The same instance costs something else for other work, and elsewhere.
        yield _item(region, name, "0.999", component="Notebook", kind="Notebook", meter="Notebk")
        yield _item(region, name, "9.990", component="Hosting", kind="Hosting", meter="Host")
        yield _item(region, name, "8.880", location_type="AWS Local Zone", meter="LAX1-Train")
        yield _item(region, name, "0.000", kind="TrainingFreeTier", meter="Train-Free")
    for number, (name, price) in enumerate(prices.spot.items()):
        # Some have the component of training, others one of their own.
        component = ("Training", "SpotTraining")[number % 2]
        yield _priced(region, name, price, prices, "SpotTraining", "TrSpt", "NA", component)
    for name, price in prices.warm_pool.items():
        yield _priced(region, name, price, prices, "Training Warm Pool", "TrainWarmPool", "NA")
    for name in ("ml.r6i.large", "ml.r6i.xlarge"):
        yield _item(region, name, "0.151", component="Notebook", kind="Notebook", meter="Notebk")
    yield _volume(region)


def _instance_type(name: str, number: int) -> str:
    return (f"{name}-Training", name, "NA")[number % 3]


def _priced(
    region: str,
    name: str,
    price: str,
    prices: Prices,
    kind: str,
    meter: str,
    instance_type: str,
    component: str = "Training",
) -> Wire:
    cost = Decimal(price) * (1 if region == "us-east-1" else Decimal("1.1"))
    text: str | None = "-1" if name in prices.broken else f"{cost:.10f}"
    if (region, name) in _UNPRICED:
        text = None
    return _item(region, name, text, component=component, kind=kind, meter=meter, instance_type=instance_type)


def _item(
    region: str,
    name: str,
    price: str | None,
    *,
    component: str = "Training",
    kind: str = "Training",
    meter: str = "Train",
    instance_type: str = "NA",
    location_type: str = "AWS Region",
) -> Wire:
    vcpus, memory, gpus = _HARDWARE.get(name, ("N/A", "N/A", "N/A"))
    usage_type = f"{_PREFIXES.get(region, region[:2].upper() + '-')}{meter}:{name}"
    sku = sha256(f"{region}/{usage_type}/{kind}/{location_type}".encode()).hexdigest()[:16].upper()
    attributes = {
        "servicecode": SERVICE,
        "servicename": "Amazon SageMaker",
        "location": region,
        "locationType": location_type,
        "regionCode": region,
        "usagetype": usage_type,
        "operation": "RunInstance",
        "component": component,
        "instanceName": name,
        "instanceType": instance_type,
        "platoinstancename": name.split(".")[1],
        "platoinstancetype": kind,
        "computeType": "Standard Instances",
        "currentGeneration": "Yes",
        "vCpu": vcpus,
        "memory": memory,
        "gpu": gpus,
        "gpuMemory": "N/A",
        "physicalCpu": "N/A",
        "physicalGpu": "N/A",
        "clockSpeed": "N/A",
        "networkPerformance": "High",
        "storage": "EBS only",
        "processorArchitecture": "64-bit",
    }
    if instance_type == name:
        # Not every entry says it here; the usage type always does.
        del attributes["instanceName"]
    return _entry(sku, "ML Instance", attributes, "Hrs", price, f"per {kind} {name} hour in {region}")


def _volume(region: str) -> Wire:
    attributes = {
        "servicecode": SERVICE,
        "locationType": "AWS Region",
        "regionCode": region,
        "usagetype": f"{_PREFIXES.get(region, '')}Train:VolumeUsage.gp2",
        "component": "Training",
    }
    return _entry("VOLUME0000000000", "ML Storage", attributes, "GB-Mo", "0.14", "per GB-Mo of Training ML storage")


def _entry(sku: str, family: str, attributes: Mapping[str, str], unit: str, price: str | None, said: str) -> Wire:
    offer = f"{sku}.JRTCKXETXF"
    currency = "CNY" if attributes["regionCode"].startswith("cn-") else "USD"
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"{price} {currency} {said}",
        "appliesTo": [],
        "rateCode": f"{offer}.6YS6EN2CT7",
        "pricePerUnit": {currency: price},
    }
    term = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": _EFFECTIVE,
        "termAttributes": {},
        "priceDimensions": {} if price is None else {dimension["rateCode"]: dimension},
    }
    return {
        "product": {"productFamily": family, "sku": sku, "attributes": dict(attributes)},
        "serviceCode": SERVICE,
        "terms": {"OnDemand": {offer: term}},
        "version": _VERSION,
        "publicationDate": "2026-09-24T23:59:00Z",
    }
