"""Formats costs for the status page: what jobs have cost so far, and what they cost per hour now."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.exposition.family import Row
from exporter.training import bill
from exporter.training.cost import NO_PRICE, TRAINING_PLAN, Rates
from exporter.training.holding import holding
from exporter.training.job import NO_SERVERLESS, TrainingJob

_SYMBOLS = {"USD": "$"}
_CENT = 0.01
_WHY = {NO_PRICE: "no price", TRAINING_PLAN: "training plan"}


def cost(job: TrainingJob, rates: Rates) -> str:
    """Return the bill of a job so far, such as `$1.25`; or why it has no price; "" while nothing is known."""
    found = _by_currency(bill.cost(job, rates))
    why = sorted({_WHY[rate] for rate in rates.values() if isinstance(rate, str)})
    return ", ".join([*found, *why])


def why_no_cost(job: TrainingJob, settled: bool) -> str:
    """Return why nothing is known of the cost of a job, such as `no bill yet` while a bill is expected."""
    if job.billable_seconds is not None:
        return "no price"
    if _is_serverless(job):
        return "billed by tokens"
    if not job.terminal or (job.unbilled and not settled):
        return "no bill yet"
    # A description has the instances. An ended job without them was listed only.
    return "no bill" if job.instances else "unknown"


def _is_serverless(job: TrainingJob) -> bool:
    # The configuration may be missing from the description, but no other job starts without instances.
    return not job.instances and (job.serverless != NO_SERVERLESS or job.started is not None)


def cost_per_hour(job: TrainingJob, rates: Rates) -> str:
    """Return the cost per hour of the instances that a job holds now, such as `$24.15 per hour`; "" if it has none.

    The instances of a warm pool that waits for its next job are idle, so the text says so.
    """
    found = _by_currency(bill.cost_per_hour(job, rates))
    idle = ", warm pool" if job.terminal else ""
    return "".join(f"{each} per hour{idle}" for each in found)


def total_per_hour(jobs: Iterable[tuple[TrainingJob, Rates]]) -> str:
    """Return what all jobs cost per hour now, and how many hold instances without a price; "" if no job has a price."""
    known, unpriced = list[Row](), 0
    for job, rates in jobs:
        rows = list(bill.cost_per_hour(job, rates))
        known += rows
        unpriced += bool(not rows and holding(job).instances)
    if not known:
        return ""
    missing = f", {unpriced:,} without a price" if unpriced else ""
    return f"{' and '.join(_by_currency(known))} per hour{missing}"


def _by_currency(rows: Iterable[Row]) -> list[str]:
    sums: dict[str, float] = {}
    for labels, value in rows:
        # The last label of both families is the currency.
        currency = str(labels[-1])
        sums[currency] = sums.get(currency, 0.0) + value
    return [_money(currency, amount) for currency, amount in sorted(sums.items())]


def _money(currency: str, amount: float) -> str:
    symbol = _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"<{symbol}{_CENT}" if 0 < amount < _CENT else f"{symbol}{amount:,.2f}"
