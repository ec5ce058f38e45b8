"""Reads AWS's own index.json of a service: products first, then the terms that price them.

The file has some hundred megabytes for all regions. It is read twice, an entry at a time, and only what prices an
instance that trains is kept between the two.
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
    """Return the price lists of an open file. Raises ConfigError where it is not such a file, or is cut off."""
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
        raise _refused(path, "", "is cut off before its end, or is no JSON") from None
    except MixedCurrenciesError as error:
        raise _refused(path, f"products.{error.entry}", str(error)) from None
    return collector.collected()


def _check(path: str, file: IO[bytes]) -> None:
    """Look at what stands before the products. Raises ConfigError for the list of another service."""
    for prefix, event, value in ijson.parse(file):
        if prefix == "offerCode" and value != SERVICE:
            raise _refused(path, "offerCode", f"is the price list of {quote(value)}")
        if prefix == "offerCode":
            return
        if prefix in ("products", "terms") or (not prefix and event not in ("start_map", "map_key")):
            break
    raise _refused(path, "offerCode", "is missing: this is not a price list of AWS")


def _products(file: IO[bytes], collector: Collector) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the attributes of the products that are instances that train, by SKU."""
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
