"""What a job costs: billed seconds times instances times the price of one of them, in exact arithmetic.

`usage` says what an instance is held for, as AWS prices it: `training`, `spot_training` or `warm_pool`. A spot job is
billed at a price of its own, never at that of EC2: the discount is in its billed seconds already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from exporter.training.usage import USAGES

# Why billed time has no price: the price list has none, or it was paid for beforehand.
NO_PRICE, TRAINING_PLAN = "no_price", "training_plan"
_HOUR = 3600


class Rate(NamedTuple):
    """What one instance costs per hour, adjustments applied."""

    per_hour: Fraction
    currency: str

    def cost(self, instance_seconds: Fraction) -> Fraction:
        return instance_seconds * self.per_hour / _HOUR


# A type and a usage, and what an instance of it costs, or why nobody knows.
Rates = Mapping[tuple[str, str], Rate | str]
# The price in force for an account, a region, a type and a usage; None where there is none.
RateOf = Callable[[str, str, str, str], Rate | None]
NO_RATES: Rates = {}


def no_rate(account: str, region: str, instance_type: str, usage: str) -> Rate | None:
    """The RateOf of an exporter that knows no prices."""
    return None


def exact(seconds: float | None) -> Fraction:
    """Return seconds as AWS's clock has them, to the millisecond; 0 for those that are not known yet."""
    return Fraction(round((seconds or 0.0) * 1000), 1000)


def priced(
    rates: Rates, wanted: Iterable[tuple[str, str]], prepaid: bool, find: Callable[[str, str], Rate | None]
) -> Rates:
    """Return the rates with one for each type and usage that is `wanted`. A rate that a job has it keeps, whatever
    the price list says later; one that is missing is looked for again."""
    found = dict(rates)
    for key in wanted:
        if not isinstance(found.get(key), Rate):
            found[key] = TRAINING_PLAN if prepaid else find(*key) or NO_PRICE
    return found


def is_unpriced(rates: Rates) -> bool:
    """Whether a price that comes later would price something."""
    return NO_PRICE in rates.values()


def to_json(rates: Rates) -> list[list[str]]:
    """Return rates as the ledger keeps them: [type, usage, reason] or [type, usage, price, currency]."""
    return [
        [*key, rate] if isinstance(rate, str) else [*key, str(rate.per_hour), rate.currency]
        for key, rate in sorted(rates.items())
    ]


def from_json(rows: Any) -> Rates:
    """Return rates that `to_json` wrote. Raises ValueError for anything else."""
    if not isinstance(rows, list):
        raise ValueError("no rates")
    return dict(map(_from_row, rows))


def _from_row(row: Any) -> tuple[tuple[str, str], Rate | str]:
    match row:
        case [str() as type_, str() as usage, str() as reason] if usage in USAGES and reason in (
            NO_PRICE,
            TRAINING_PLAN,
        ):
            return (type_, usage), reason
        case [str() as type_, str() as usage, str() as price, str() as currency] if usage in USAGES:
            return (type_, usage), Rate(_price(price), currency)
    raise ValueError("no rate")


def _price(text: str) -> Fraction:
    try:
        price = Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError("no price") from error
    if price < 0:
        raise ValueError("a negative price")
    return price
