"""Compute what a job costs: billed seconds x instances x price of one instance, in exact arithmetic.

`usage` says what an instance is held for, as AWS prices it: `training`, `spot_training` or `warm_pool`. Spot training
has its own SageMaker price; the prices of EC2 spot instances do not apply. Its discount is in the billed seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from exporter.training.usage import USAGES

# Why billed time has no price: the price list has none, or a training plan paid for it in advance.
NO_PRICE, TRAINING_PLAN = "no_price", "training_plan"
_HOUR = 3600


class Rate(NamedTuple):
    """The price of one instance per hour, with adjustments applied. A Fraction, so that sums stay exact."""

    per_hour: Fraction
    currency: str

    def cost(self, instance_seconds: Fraction) -> Fraction:
        """Return the cost of this many instance seconds, in `currency`."""
        return instance_seconds * self.per_hour / _HOUR


# (instance type, usage) -> the rate, or the reason why there is none.
Rates = Mapping[tuple[str, str], Rate | str]
# (account, region, instance type, usage) -> the rate in force, None if there is none.
RateOf = Callable[[str, str, str, str], Rate | None]
NO_RATES: Rates = {}


def no_rate(account: str, region: str, instance_type: str, usage: str) -> Rate | None:
    """Return None: the RateOf of an exporter without prices."""
    return None


def exact(seconds: float | None) -> Fraction:
    """Return seconds as a Fraction, rounded to the milliseconds that the API has; 0 if not known yet."""
    return Fraction(round((seconds or 0.0) * 1000), 1000)


def priced(
    rates: Rates, wanted: Iterable[tuple[str, str]], prepaid: bool, find: Callable[[str, str], Rate | None]
) -> Rates:
    """Return the rates with an entry for each `wanted` (instance type, usage).

    A rate that the job already has is kept, so that a new price list does not change what was counted. A missing rate
    is looked up again with `find`. `prepaid` jobs, those of a training plan, have no rate.
    """
    found = dict(rates)
    for key in wanted:
        if not isinstance(found.get(key), Rate):
            found[key] = TRAINING_PLAN if prepaid else find(*key) or NO_PRICE
    return found


def is_unpriced(rates: Rates) -> bool:
    """Return whether a price that becomes known later would apply to some of these."""
    return NO_PRICE in rates.values()


def to_json(rates: Rates) -> list[list[str]]:
    """Return rates as the ledger stores them: [type, usage, reason] or [type, usage, price, currency]."""
    return [
        [*key, rate] if isinstance(rate, str) else [*key, str(rate.per_hour), rate.currency]
        for key, rate in sorted(rates.items())
    ]


def from_json(rows: Any) -> Rates:
    """Return the rates that `to_json` wrote. Raises ValueError for anything else."""
    if not isinstance(rows, list):
        raise ValueError("invalid rates")
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
    raise ValueError("invalid rate")


def _price(text: str) -> Fraction:
    try:
        price = Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError("invalid price") from error
    if price < 0:
        raise ValueError("negative price")
    return price
