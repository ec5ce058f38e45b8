"""Compute the cost rows of a job: the cost billed so far, and the cost per hour while it holds instances."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from exporter.exposition.family import Row
from exporter.training.cost import Rate, Rates, exact
from exporter.training.holding import holding
from exporter.training.job import TrainingJob
from exporter.training.usage import WARM_POOL, usage_of_training


def cost(job: TrainingJob, rates: Rates) -> Iterable[Row]:
    """Return the billed cost by (instance type, instance group, usage, currency).

    Usages without a bill and instance types without a price have no row.
    """
    retained = job.warm_pool.retained_seconds if job.warm_pool else None
    for usage, seconds in ((usage_of_training(job.spot), job.billable_seconds), (WARM_POOL, retained)):
        for i in job.instances if seconds is not None else ():
            if isinstance(rate := rates.get((i.type, usage)), Rate):
                yield (i.type, i.group, usage, rate.currency), float(rate.cost(exact(seconds) * i.number))


def cost_per_hour(job: TrainingJob, rates: Rates) -> Iterable[Row]:
    """Return the cost per hour of the instances that a job holds, by currency.

    There is no row while the price of any of them is unknown: a partial sum would look like the whole cost.
    """
    held = holding(job)
    found = [(rates.get((type_, held.usage)), number) for type_, number in held.instances]
    known = [(rate, number) for rate, number in found if isinstance(rate, Rate)]
    if len(known) < len(found):
        return []
    sums = dict[str, Fraction]()
    for rate, number in known:
        sums[rate.currency] = sums.get(rate.currency, Fraction(0)) + rate.per_hour * number
    return [((currency,), float(per_hour)) for currency, per_hour in sums.items()]
