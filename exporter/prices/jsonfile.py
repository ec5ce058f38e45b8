"""Read the index.json that AWS publishes for a service: first its products, then the terms with their prices.

For all regions the file has several hundred megabytes. To bound the memory, it is read twice, an entry at a time: the
first pass keeps only the products that are training instances, and the second pass reads their terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import ijson

from exporter.config.problems import ConfigError, Problem, quote
from exporter.prices.collecting import Collected, Collector, MixedCurrenciesError
from exporter.prices.offers import SERVICE, BadOfferError, attributes_of, dimensions_of, offer, usage_of

ALLOWED = f"AWS's index.json or index.csv of {SERVICE}, or a table in YAML: docs/prices.md"


def read(path: str, file: IO[bytes]) -> Collected:
    """Return the price lists of an open file. Raises ConfigError if it is not such a file, or is truncated."""
    try:
        _check(path, file)
        file.seek(0)
        collector = Collector()
        ours = dict(_products(file, collector))
        file.seek(0)
        for sku, terms in ijson.kvitems(file, "terms.OnDemand"):
            if sku in ours:
                _add(collector, sku, ours.pop(sku), terms)
        for sku, attributes in ours.items():
            _add(collector, sku, attributes, {})
    except ijson.JSONError:
        raise _refused(path, "", "is truncated, or is not JSON") from None
    except MixedCurrenciesError as error:
        raise _refused(path, f"products.{error.entry}", str(error)) from None
    return collector.collected()


def _check(path: str, file: IO[bytes]) -> None:
    """Check the metadata before the products. Raises ConfigError if this is not SageMaker's price list."""
    for prefix, event, value in ijson.parse(file):
        if prefix == "offerCode" and value != SERVICE:
            raise _refused(path, "offerCode", f"is the price list of {quote(value)}")
        if prefix == "offerCode":
            return
        if prefix in ("products", "terms") or (not prefix and event not in ("start_map", "map_key")):
            break
    raise _refused(path, "offerCode", "is missing: this is not an AWS price list")


def _products(file: IO[bytes], collector: Collector) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the SKU and the attributes of each product that is a training instance."""
    for sku, product in ijson.kvitems(file, "products"):
        try:
            attributes = attributes_of(product)
        except BadOfferError as error:
            collector.refuse(sku, str(error))
            continue
        if usage_of(attributes):
            yield sku, attributes


def _add(collector: Collector, sku: str, attributes: dict[str, str], terms: Any) -> None:
    try:
        found = offer(attributes, dimensions_of(terms))
    except BadOfferError as error:
        collector.refuse(sku, str(error))
        return
    if found:
        collector.add(found, sku)


def _refused(path: str, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, key, message, ALLOWED)])
