"""Read the prices of one region from AWS's Price List API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import orjson

from exporter.polling.api import ApiError
from exporter.prices.collecting import Collected, Collector, MixedCurrenciesError
from exporter.prices.offers import BadOfferError, attributes_of, dimensions_of, offer

GET_PRODUCTS = "GetProducts"
# The error code for a region whose partition has no Price List API.
NO_ENDPOINT = "NoPriceEndpoint"


class PriceSource(Protocol):
    """Provide access to AWS's price list."""

    def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        """Yield pages of the entries of a region that may be about training, each a JSON text. Raises ApiError."""
        ...


async def read_products(source: PriceSource, region: str) -> Collected:
    """Return the price list of one region, with at least one price. Raises ApiError."""
    collector = Collector()
    try:
        async with aclosing(source.items(region)) as pages:
            async for page in pages:
                for item in page:
                    _take(collector, item, region)
    except MixedCurrenciesError as error:
        raise ApiError(GET_PRODUCTS, "MixedCurrencies", f"{error}; set prices.file instead") from None
    found = collector.collected()
    if region not in found.lists:
        invalid = f" ({len(found.bad)} of its entries are invalid)" if found.bad else ""
        advice = f"the list has no price for training in this region{invalid}; set prices.file"
        raise ApiError(GET_PRODUCTS, "NoPrices", advice)
    return found


def _take(collector: Collector, item: object, region: str) -> None:
    entry = _parsed(item)
    product = entry.get("product")
    sku = product.get("sku") if isinstance(product, dict) else None
    name = sku if isinstance(sku, str) else "entry without a SKU"
    try:
        found = offer(attributes_of(product), dimensions_of(_on_demand(entry.get("terms"))), region)
    except BadOfferError as error:
        collector.refuse(name, str(error))
        return
    if found:
        collector.add(found, name)


def _parsed(item: object) -> dict[str, Any]:
    """Return a parsed entry; empty if it is not a JSON object, so that it is reported as invalid."""
    try:
        entry = orjson.loads(item) if isinstance(item, str) else None
    except orjson.JSONDecodeError:
        entry = None
    return entry if isinstance(entry, dict) else {}


def _on_demand(terms: Any) -> Any:
    return terms.get("OnDemand") if isinstance(terms, dict) else None
