"""Hold the prices per instance and hour as exact numbers, by region, and the hardware of instance types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import NamedTuple

from exporter.training.cost import Rate
from exporter.training.usage import TRAINING


class Hardware(NamedTuple):
    """Hold the hardware of one instance; None means unknown."""

    gpus: int | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None

    def completed(self, other: Hardware) -> Hardware:
        """Return this hardware, with unknown values taken from `other`."""
        return Hardware(*(theirs if mine is None else mine for mine, theirs in zip(self, other, strict=True)))


NO_HARDWARE = Hardware()


@dataclass(frozen=True, slots=True)
class PriceList:
    """Hold the list prices of one region by (instance type, usage), and the hardware that the list names."""

    currency: str
    prices: Mapping[tuple[str, str], Decimal]
    hardware: Mapping[str, Hardware] = field(default_factory=dict)

    def overlaid(self, other: PriceList) -> PriceList:
        """Return these prices, overridden by those of `other`; only those of `other` if the currencies differ. What
        `other` does not know of the hardware of a type is taken from this list."""
        prices = {**self.prices, **other.prices} if other.currency == self.currency else other.prices
        own = {name: found.completed(self.hardware.get(name, NO_HARDWARE)) for name, found in other.hardware.items()}
        return PriceList(other.currency, prices, {**self.hardware, **own})


class Adjustment(NamedTuple):
    """Define a negotiated rate: a factor on the list price.

    None matches every account or usage. `instance_type` is a pattern with * and ?.
    """

    multiplier: Fraction
    account: str | None = None
    instance_type: str = "*"
    usage: str | None = None

    def applies(self, account: str, instance_type: str, usage: str) -> bool:
        """Return whether this rate applies to instances of an account."""
        return (
            self.account in (None, account)
            and self.usage in (None, usage)
            # `fnmatch` ignores case on some systems.
            and fnmatchcase(instance_type, self.instance_type)
        )


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Hold the price lists of all regions read so far, and the adjustments of list prices.

    Only the first adjustment that applies is used. A book is never changed; new prices are a new book.
    """

    regions: Mapping[str, PriceList] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()

    def list_price(self, region: str, instance_type: str, usage: str) -> Decimal | None:
        """Return the list price per instance and hour, None if the list has none.

        If the list has no separate price for spot training or warm pools of a type, its training price applies.
        """
        listed = self.regions.get(region)
        if listed is None:
            return None
        price = listed.prices.get((instance_type, usage))
        return listed.prices.get((instance_type, TRAINING)) if price is None else price

    def rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        """Return the adjusted price per instance and hour for an account, None if the list has no price."""
        price = self.list_price(region, instance_type, usage)
        if price is None:
            return None
        multiplier = next(
            (each.multiplier for each in self.adjustments if each.applies(account, instance_type, usage)), Fraction(1)
        )
        return Rate(Fraction(price) * multiplier, self.regions[region].currency)

    def hardware(self, instance_type: str) -> Hardware:
        """Return the hardware of a type according to the price lists of all regions."""
        found = NO_HARDWARE
        for listed in self.regions.values():
            if None not in found:
                break
            found = found.completed(listed.hardware.get(instance_type, NO_HARDWARE))
        return found
