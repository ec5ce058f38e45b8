"""Prices of one region and of all, in exact numbers: what an instance costs per hour, and its hardware."""

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
    """The hardware of one instance; None: unknown."""

    gpus: int | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None

    def completed(self, other: Hardware) -> Hardware:
        """Return this, with the other's values for what is unknown."""
        return Hardware(*(theirs if mine is None else mine for mine, theirs in zip(self, other, strict=True)))


NO_HARDWARE = Hardware()


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one region, by instance type and usage, as the list has them; and the hardware that it names."""

    currency: str
    prices: Mapping[tuple[str, str], Decimal]
    hardware: Mapping[str, Hardware] = field(default_factory=dict)

    def overlaid(self, other: PriceList) -> PriceList:
        """Return these prices with the other's above them; the other's alone where the currencies differ."""
        if other.currency != self.currency:
            return other
        return PriceList(self.currency, {**self.prices, **other.prices}, {**self.hardware, **other.hardware})


class Adjustment(NamedTuple):
    """A negotiated rate: what the list price is multiplied by. None stands for every account or usage; the instance
    type is a pattern with * and ?."""

    multiplier: Fraction
    account: str | None = None
    instance_type: str = "*"
    usage: str | None = None

    def applies(self, account: str, instance_type: str, usage: str) -> bool:
        return (
            self.account in (None, account)
            and self.usage in (None, usage)
            and fnmatchcase(instance_type, self.instance_type)
        )


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The price lists of all regions that were read so far, and what is paid instead of the list price: the first
    adjustment that applies counts, and no other."""

    regions: Mapping[str, PriceList] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()

    def list_price(self, region: str, instance_type: str, usage: str) -> Decimal | None:
        """Return the list price per instance and hour; None where the list has none. Where it prices neither spot nor
        warm pools of a type apart, they cost what training does."""
        listed = self.regions.get(region)
        if listed is None:
            return None
        price = listed.prices.get((instance_type, usage))
        return listed.prices.get((instance_type, TRAINING)) if price is None else price

    def rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        """Return what an account pays per instance and hour; None where the list has no price."""
        price = self.list_price(region, instance_type, usage)
        if price is None:
            return None
        multiplier = next(
            (each.multiplier for each in self.adjustments if each.applies(account, instance_type, usage)), Fraction(1)
        )
        return Rate(Fraction(price) * multiplier, self.regions[region].currency)

    def hardware(self, instance_type: str) -> Hardware:
        """Return the hardware of a type as the lists have it."""
        found = NO_HARDWARE
        for listed in self.regions.values():
            found = found.completed(listed.hardware.get(instance_type, NO_HARDWARE))
        return found
