"""Find the entries of AWS's price list that are prices of training instances.

The API, the JSON file and the CSV file spell the same attributes differently ("instanceName", "Instance Name"), so they
are compared without case, spaces and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from exporter.prices import amounts
from exporter.prices.book import Hardware
from exporter.training.usage import SPOT_TRAINING, TRAINING, WARM_POOL

SERVICE = "AmazonSageMaker"
_HOURS = ("hrs", "hours", "hour")
_SPOT = ("spottraining", "trspt", "spottrain")
_TRAINING = ("training", "train", "")
# How price lists name warm pools is not documented. Bills call them "Training Warm Pool".
_POOL = "warmpool"
_VOLUME = "volumeusage"
_NOT_PLAIN = re.compile(r"[^a-z0-9]")
_TYPE = re.compile(r"ml\.[a-z0-9-]{1,30}\.[a-z0-9-]{1,30}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class BadOfferError(Exception):
    """Report an entry whose price cannot be used; the text says why."""


class Dimension(NamedTuple):
    """Hold a price as the list has it, not yet validated: its unit, and the amounts by currency."""

    unit: object
    prices: Mapping[str, object]


class Offer(NamedTuple):
    """Hold the price of one instance per hour in a region.

    `price` is None if the list has the instance without a price, as it has for some types in China.
    """

    region: str
    instance_type: str
    usage: str
    currency: str
    price: Decimal | None
    hardware: Hardware


def plain(name: str) -> str:
    """Return a name or value of an attribute in lower case, without spaces and punctuation."""
    return _NOT_PLAIN.sub("", name.lower())


def attributes_of(product: Any) -> dict[str, str]:
    """Return the attributes of a product of the API or the JSON file, by their `plain` names. Raises BadOfferError."""
    attributes = product.get("attributes") if isinstance(product, dict) else None
    if not isinstance(attributes, dict):
        raise BadOfferError("has no attributes")
    family = product.get("productFamily")
    found = {plain(key): value for key, value in attributes.items() if isinstance(value, str)}
    return found | {"productfamily": family if isinstance(family, str) else ""}


def dimensions_of(terms: Any) -> list[Dimension]:
    """Return the prices in the on-demand terms of a product of the API or the JSON file."""
    found = []
    for term in _values(terms):
        for dimension in _values(term.get("priceDimensions")):
            prices = dimension.get("pricePerUnit")
            found.append(Dimension(dimension.get("unit"), prices if isinstance(prices, dict) else {}))
    return found


def offer(attributes: Mapping[str, str], dimensions: Iterable[Dimension], region: str = "") -> Offer | None:
    """Return the price of an entry, None if the entry is not a training instance in a region.

    `region` is used for entries that do not name a region. Raises BadOfferError.
    """
    usage = usage_of(attributes)
    if usage is None:
        return None
    instance_type = _instance_type(attributes)
    if instance_type is None:
        if _VOLUME in attributes.get("usagetype", "").lower():
            return None
        raise BadOfferError("has no instance type in instanceName or usagetype")
    where = attributes.get("regioncode") or region
    if not where:
        raise BadOfferError("has no regionCode")
    currency, price = _price(dimensions)
    return Offer(where, instance_type, usage, currency, price, _hardware(attributes))


def usage_of(attributes: Mapping[str, str]) -> str | None:
    """Return the `usage` that an entry is a price for, None if it is not about training in a region."""
    family, place = attributes.get("productfamily", ""), attributes.get("locationtype", "")
    if plain(family) != "mlinstance" or plain(place) != "awsregion":
        return None
    component, kind = plain(attributes.get("component", "")), plain(attributes.get("platoinstancetype", ""))
    meter = _meter(attributes.get("usagetype", ""))
    names = (component, kind, meter)
    if any(name in _SPOT for name in names):
        return SPOT_TRAINING
    if component.replace(_POOL, "") not in _TRAINING or not any(names):
        return None
    if any(_POOL in name for name in names):
        return WARM_POOL
    return TRAINING if kind in _TRAINING and meter in _TRAINING else None


def _meter(usage_type: str) -> str:
    """Return "train" for the usage type "USE1-Train:ml.m5.xlarge". In us-east-1 the region prefix may be missing."""
    before, colon, _ = usage_type.partition(":")
    return plain(before.rpartition("-")[2]) if colon else ""


def _instance_type(attributes: Mapping[str, str]) -> str | None:
    # `instanceType` is not used: it is "ml.m5.xlarge-Training", "ml.m5.xlarge", "NA" or missing.
    candidates = (attributes.get("instancename", ""), attributes.get("usagetype", "").rpartition(":")[2])
    return next((text for text in candidates if _TYPE.fullmatch(text)), None)


def _price(dimensions: Iterable[Dimension]) -> tuple[str, Decimal | None]:
    found = list(dimensions)
    if not found:
        return "", None
    if len(found) > 1:
        raise BadOfferError(f"has {len(found)} prices instead of one")
    unit, prices = found[0]
    if not isinstance(unit, str) or unit.lower() not in _HOURS:
        raise BadOfferError(f"the price is per {str(unit)[:30]!r}, not per hour")
    if len(prices) != 1:
        raise BadOfferError(f"has a price in {len(prices)} currencies")
    ((currency, text),) = prices.items()
    if not _CURRENCY.fullmatch(currency):
        raise BadOfferError(f"{currency[:30]!r} is not a currency")
    try:
        price = amounts.price(text)
    except ValueError as error:
        raise BadOfferError(str(error)) from None
    # A price of 0 belongs to a free tier or a reservation. It is not a list price.
    return currency, price or None


def _hardware(attributes: Mapping[str, str]) -> Hardware:
    gpus = amounts.count(attributes.get("gpu", ""))
    if gpus is None:
        gpus = amounts.count(attributes.get("physicalgpu", ""))
    return Hardware(gpus, amounts.count(attributes.get("vcpu", "")), amounts.memory(attributes.get("memory", "")))


def _values(mapping: Any) -> list[dict[str, Any]]:
    return [value for value in mapping.values() if isinstance(value, dict)] if isinstance(mapping, dict) else []
