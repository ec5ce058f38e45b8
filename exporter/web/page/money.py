"""Formats costs for the status page: what jobs have cost so far, and what they cost per hour now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from exporter.exposition.family import Row
from exporter.ledger.sums import Totals
from exporter.training import bill
from exporter.training.active import ActiveCounts
from exporter.training.cost import NO_PRICE, TRAINING_PLAN, Rates
from exporter.training.job import NO_SERVERLESS, TrainingJob
from exporter.training.usage import USAGES
from exporter.web.page.records import Spent, TargetRow

# The families of the ledger that say what a target has cost so far. The last label of costs is the currency.
_COST, _UNPRICED = "sagemaker_training_cost_total", "sagemaker_training_unpriced_instance_seconds"
_HOUR = 3600.0
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


def held_per_hour(targets: Iterable[ActiveCounts], usages: Collection[str] = USAGES) -> str:
    """Return what all instances cost per hour that are held now for these usages, and how many have no price; "" if
    there are none with a price."""
    sums, unpriced = dict[str, float](), 0
    for counts in targets:
        for (type_, usage), number in counts.instances.items():
            if usage not in usages:
                continue
            if rate := counts.rates.get((type_, usage)):
                sums[rate.currency] = sums.get(rate.currency, 0.0) + float(rate.per_hour * number)
            else:
                unpriced += number
    if not sums:
        return ""
    missing = f", {_counted(unpriced, 'instance')} without a price" if unpriced else ""
    return f"{' and '.join(_amounts(sums))} per hour{missing}"


def of_target(target: TargetRow) -> list[str]:
    """Return what a target costs now and what it has cost so far, as far as prices are known."""
    now, spent = held_per_hour([target.counts]), target.spent
    found = [now] if now else []
    if spent and spent.by_currency:
        found.append(f"{' and '.join(_amounts(spent.by_currency))} so far")
    if spent and spent.unpriced_instance_seconds:
        found.append(f"{spent.unpriced_instance_seconds / _HOUR:,.1f} instance hours without a price")
    return found


def spent(totals: Totals) -> Spent:
    """Return what the jobs of a target have cost, from its totals."""
    sums: dict[str, float] = {}
    since, unpriced = [], 0.0
    for key, series in totals.items():
        if key.family == _COST:
            currency = str(key.labels[-1])
            sums[currency] = sums.get(currency, 0.0) + series.number(_COST)
            since.append(series.created)
        elif key.family == _UNPRICED:
            unpriced += series.number(_UNPRICED)
    return Spent(sums, min(since, default=None), unpriced)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _by_currency(rows: Iterable[Row]) -> list[str]:
    sums: dict[str, float] = {}
    for labels, value in rows:
        # The last label of both families is the currency.
        currency = str(labels[-1])
        sums[currency] = sums.get(currency, 0.0) + value
    return _amounts(sums)


def _amounts(sums: Mapping[str, float]) -> list[str]:
    return [_money(currency, amount) for currency, amount in sorted(sums.items())]


def _money(currency: str, amount: float) -> str:
    symbol = _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"<{symbol}{_CENT}" if 0 < amount < _CENT else f"{symbol}{amount:,.2f}"
