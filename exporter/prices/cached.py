"""The text in which the prices of a region are kept over a restart.

It is a JSON object: `version` is 1, `read` is when the list was read (Unix seconds), `currency` is its currency,
`prices` has for each instance type the list price by usage as a decimal text, and `hardware` for each instance type
`gpus`, `vcpus` and `memory_bytes`, each a number or null. Keys are sorted, so that the same prices are the same text.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol

from exporter.ledger.ledger import Ledger
from exporter.prices import amounts
from exporter.prices.book import Hardware, PriceList

_VERSION = 1


class Kept(NamedTuple):
    """A list that was kept, and when it was read."""

    prices: PriceList
    read: float


class PriceCache(Protocol):
    """Keeps one text for each region. What raises is as if nothing were kept."""

    async def load(self, region: str) -> str | None:
        """Return the text that was stored last."""
        ...

    async def store(self, region: str, text: str) -> None: ...


class LedgerCache:
    """Keeps the texts where the totals are: over a restart with a state file, and over a reload without one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def load(self, region: str) -> str | None:
        return (await self._ledger.price_lists()).get(region)

    async def store(self, region: str, text: str) -> None:
        await self._ledger.keep_price_list(region, text)


def encoded(kept: Kept) -> str:
    """Return the text of a list."""
    prices: dict[str, dict[str, str]] = {}
    for (instance_type, usage), price in kept.prices.prices.items():
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
    """Return the list of a text; None for one that is no list, or of a version that this one does not know."""
    try:
        return None if text is None else _decoded(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _decoded(document: Any) -> Kept:
    if document["version"] != _VERSION:
        raise ValueError("another version")
    prices = {
        (instance_type, usage): amounts.price(price)
        for instance_type, by_usage in document["prices"].items()
        for usage, price in by_usage.items()
    }
    hardware = {instance_type: Hardware(**found) for instance_type, found in document["hardware"].items()}
    return Kept(PriceList(str(document["currency"]), prices, hardware), float(document["read"]))
