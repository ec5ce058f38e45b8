"""Reads the prices of one region from AWS's Price List API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import orjson

from exporter.polling.api import ApiError
from exporter.prices.collecting import Collected, Collector, MixedCurrenciesError
from exporter.prices.offers import BadOfferError, attributes_of, dimensions_of, offer

GET_PRODUCTS = "GetProducts"
# The code of a region that no endpoint knows the prices of.
NO_ENDPOINT = "NoPriceEndpoint"


class PriceSource(Protocol):
    """AWS's price list."""

    def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        """Yield the entries of a region that may price training, each the text of a JSON object. Raises ApiError."""
        ...


async def read_products(source: PriceSource, region: str) -> Collected:
    """Return the list of one region, with at least one price in it. Raises ApiError."""
    collector = Collector()
    try:
        async with aclosing(source.items(region)) as pages:
            async for page in pages:
                for item in page:
                    _take(collector, item, region)
    except MixedCurrenciesError as error:
        raise ApiError(GET_PRODUCTS, "MixedCurrencies", f"{error}; name a file in prices.file instead") from None
    found = collector.collected()
    if region not in found.lists:
        broken = f", and cannot be used ({len(found.bad)} of its entries are broken)" if found.bad else ""
        advice = f"the list has no price of training in this region{broken}; name a file in prices.file"
        raise ApiError(GET_PRODUCTS, "NoPrices", advice)
    return found


def _take(collector: Collector, item: object, region: str) -> None:
    entry = _parsed(item)
    product = entry.get("product")
    sku = product.get("sku") if isinstance(product, dict) else None
    name = sku if isinstance(sku, str) else "an entry without a SKU"
    try:
        found = offer(attributes_of(product), dimensions_of(_on_demand(entry.get("terms"))), region)
    except BadOfferError as error:
        collector.refuse(name, str(error))
        return
    if found:
        collector.add(found, name)


def _parsed(item: object) -> dict[str, Any]:
    """Return an entry; one that is none has nothing in it."""
    try:
        entry = orjson.loads(item) if isinstance(item, str) else None
    except orjson.JSONDecodeError:
        entry = None
    return entry if isinstance(entry, dict) else {}


def _on_demand(terms: Any) -> Any:
    return terms.get("OnDemand") if isinstance(terms, dict) else None
