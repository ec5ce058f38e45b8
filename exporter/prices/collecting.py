"""Collects the entries of a price list into one list for each region, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from exporter.prices.book import NO_HARDWARE, Hardware, PriceList
from exporter.prices.offers import Offer


class BadEntry(NamedTuple):
    """An entry that cannot be used: which one (a SKU), what is wrong, and its line where there is one."""

    entry: str
    problem: str
    line: int | None = None


class MixedCurrenciesError(Exception):
    """A list whose prices are in several currencies: none of them can be added to another."""

    def __init__(self, region: str, currencies: tuple[str, str], entry: str) -> None:
        super().__init__(f"the prices of {region} are in {' and '.join(currencies)}")
        self.region, self.currencies, self.entry = region, currencies, entry


@dataclass(frozen=True, slots=True)
class Collected:
    """The lists by region, and the entries that are not in them."""

    lists: Mapping[str, PriceList]
    bad: tuple[BadEntry, ...] = ()


class Collector:
    """Takes entries one at a time. Two different prices of a type for the same usage are used neither."""

    def __init__(self) -> None:
        self._prices: dict[str, dict[tuple[str, str], Decimal]] = {}
        self._hardware: dict[str, dict[str, Hardware]] = {}
        self._currencies: dict[str, str] = {}
        self._ambiguous: set[tuple[str, str, str]] = set()
        self._bad: list[BadEntry] = []

    def refuse(self, entry: str, problem: str, line: int | None = None) -> None:
        """Note an entry that cannot be used."""
        self._bad.append(BadEntry(entry[:60], problem, line))

    def add(self, offer: Offer, entry: str, line: int | None = None) -> None:
        """Take an entry in. Raises MixedCurrenciesError."""
        known = self._hardware.setdefault(offer.region, {})
        known[offer.instance_type] = offer.hardware.completed(known.get(offer.instance_type, NO_HARDWARE))
        if offer.price is None:
            return
        currency = self._currencies.setdefault(offer.region, offer.currency)
        if currency != offer.currency:
            raise MixedCurrenciesError(offer.region, (currency, offer.currency), entry)
        prices = self._prices.setdefault(offer.region, {})
        first = prices.setdefault((offer.instance_type, offer.usage), offer.price)
        if first != offer.price:
            self._ambiguous.add((offer.region, offer.instance_type, offer.usage))
            self.refuse(entry, f"{offer.instance_type} costs {first} and {offer.price} for {offer.usage}", line)

    def collected(self) -> Collected:
        """Return what was taken in so far. A region without a price is not among the lists."""
        lists = {}
        for region, prices in self._prices.items():
            good = {key: price for key, price in prices.items() if (region, *key) not in self._ambiguous}
            if good:
                lists[region] = PriceList(self._currencies[region], good, self._hardware[region])
        return Collected(lists, tuple(self._bad))
