"""Collect the entries of a price list by region, and report the entries that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from exporter.prices.book import NO_HARDWARE, Hardware, PriceList
from exporter.prices.offers import Offer


class BadEntry(NamedTuple):
    """Describe an entry that cannot be used: its SKU, the problem, and its line if the file has lines."""

    entry: str
    problem: str
    line: int | None = None


class MixedCurrenciesError(Exception):
    """Report a list with prices in two currencies. They cannot be added up, so none is used."""

    def __init__(self, region: str, currencies: tuple[str, str], entry: str) -> None:
        super().__init__(f"the prices of {region} are in {' and '.join(currencies)}")
        self.region, self.currencies, self.entry = region, currencies, entry


@dataclass(frozen=True, slots=True)
class Collected:
    """Hold the price lists by region, and the entries left out of them."""

    lists: Mapping[str, PriceList]
    bad: tuple[BadEntry, ...] = ()


class Collector:
    """Build price lists from entries, which are added one at a time.

    If the list has two different prices for the same region, type and usage, neither is used: there is no way to tell
    which one AWS bills.
    """

    def __init__(self) -> None:
        self._prices: dict[str, dict[tuple[str, str], Decimal]] = {}
        self._hardware: dict[str, dict[str, Hardware]] = {}
        self._currencies: dict[str, str] = {}
        self._ambiguous: set[tuple[str, str, str]] = set()
        self._bad: list[BadEntry] = []

    def refuse(self, entry: str, problem: str, line: int | None = None) -> None:
        """Record that an entry cannot be used."""
        self._bad.append(BadEntry(entry[:60], problem, line))

    def add(self, offer: Offer, entry: str, line: int | None = None) -> None:
        """Add an entry. Raises MixedCurrenciesError if its currency differs from the earlier ones of its region."""
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
            self.refuse(entry, f"{offer.instance_type} has two prices for {offer.usage}: {first}, {offer.price}", line)

    def collected(self) -> Collected:
        """Return the price lists of the entries added so far. Regions without any price are left out."""
        lists = {}
        for region, prices in self._prices.items():
            good = {key: price for key, price in prices.items() if (region, *key) not in self._ambiguous}
            if good:
                lists[region] = PriceList(self._currencies[region], good, self._hardware[region])
        return Collected(lists, tuple(self._bad))
