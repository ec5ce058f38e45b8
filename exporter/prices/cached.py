"""Cache the price list of a region across restarts, as text.

The text is a JSON object. `version` is 1, `read` is when the list was last read without an invalid entry (Unix
seconds), `currency` is its currency. `prices` maps each instance type to its list prices by usage, as decimal strings.
`hardware` maps each instance type to `gpus`, `vcpus` and `memory_bytes`, each a number or null. Keys are sorted, so
that equal prices give equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from exporter.ledger.ledger import Ledger
from exporter.prices import amounts
from exporter.prices.book import Hardware, PriceList

_VERSION = 1


class Kept(NamedTuple):
    """Hold a cached list, and when AWS's was last read without an invalid entry (Unix seconds), 0 if never."""

    prices: PriceList
    read: float


class PriceCache(Protocol):
    """Store one text per region. An exception is logged by the caller and treated as an empty cache."""

    async def load(self) -> Mapping[str, str]:
        """Return the texts stored last, by region."""
        ...

    async def store(self, region: str, text: str) -> None:
        """Replace the text of this region."""
        ...


class LedgerCache:
    """Store the texts in the ledger's store. Without a state file they survive a reload, but not a restart."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def load(self) -> Mapping[str, str]:
        return await self._ledger.price_lists()

    async def store(self, region: str, text: str) -> None:
        await self._ledger.keep_price_list(region, text)


def encoded(kept: Kept) -> str:
    """Return the text to cache for a list."""
    prices: dict[str, dict[str, str]] = {}
    for (instance_type, usage), price in kept.prices.prices.items():
        # Without an exponent, which a list may not have and `decoded` refuses.
        prices.setdefault(instance_type, {})[usage] = f"{price:f}"
    hardware = {instance_type: found._asdict() for instance_type, found in kept.prices.hardware.items()}
    document = {
        "version": _VERSION,
        "read": kept.read,
        "currency": kept.prices.currency,
        "prices": prices,
        "hardware": hardware,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def decoded(text: str | None) -> Kept | None:
    """Return the list that `encoded` wrote; None if the text is missing, invalid or of an unknown version."""
    try:
        return None if text is None else _decoded(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _decoded(document: Any) -> Kept:
    if document["version"] != _VERSION:
        raise ValueError("unknown version")
    prices = {
        (instance_type, usage): amounts.price(price)
        for instance_type, by_usage in document["prices"].items()
        for usage, price in by_usage.items()
    }
    hardware = {instance_type: Hardware(**found) for instance_type, found in document["hardware"].items()}
    return Kept(PriceList(str(document["currency"]), prices, hardware), float(document["read"]))
