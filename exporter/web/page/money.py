"""Computes and formats costs for the status page: of jobs so far, at most and per hour, and of targets.

Bills are exact. What a running job has cost, and what it can cost at most, are estimates from the price and the time:
for a spot job before the discount, which AWS tells with the bill. An amount that lacks a price is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from exporter.exposition.family import Row
from exporter.ledger.sums import Totals
from exporter.training import bill
from exporter.training.active import ActiveCounts
from exporter.training.cost import NO_PRICE, TRAINING_PLAN, Rate, Rates
from exporter.training.holding import holding
from exporter.training.job import NO_SERVERLESS, TrainingJob
from exporter.training.usage import USAGES, WARM_POOL, usage_of_training
from exporter.web.page.phases import seconds_on_instances
from exporter.web.page.records import ShownJob, Spent, TargetRow
from exporter.web.page.text import counted, day, span

# The families of the ledger that say what a target has cost so far. The last label of costs is the currency.
_COST, _UNPRICED = "sagemaker_training_cost_total", "sagemaker_training_unpriced_instance_seconds"
_HOUR = 3600.0
_SYMBOLS = {"USD": "$"}
_CENT = 0.01
_WHY = {NO_PRICE: "no price", TRAINING_PLAN: "training plan"}

Amounts = Mapping[str, float]


class SoFar(NamedTuple):
    """What a job has cost so far by currency, and whether that is its bill or an estimate."""

    amounts: Amounts
    billed: bool


def so_far(shown: ShownJob, now: float) -> SoFar | None:
    """Return what a job has cost until `now` (Unix seconds); None while nothing is known."""
    job, rates = shown.job, shown.rates
    if billed := _by_currency(bill.cost(job, rates)):
        return SoFar(billed, billed=True)
    if job.terminal or job.billable_seconds is not None:
        return None
    seconds, per_hour = seconds_on_instances(job, now), _run_per_hour(job, rates)
    if seconds is None or not per_hour:
        return None
    return SoFar({currency: amount * seconds / _HOUR for currency, amount in per_hour.items()}, billed=False)


def cost(shown: ShownJob, now: float) -> str:
    """Return what a job has cost so far, such as `$1.25`, or `≈ $1.25` before the bill; or why that is unknown."""
    found = so_far(shown, now)
    if found and not found.billed:
        return f"≈ {text(found.amounts)}"
    why = sorted({_WHY[rate] for rate in shown.rates.values() if isinstance(rate, str)})
    return ", ".join(filter(None, [text(found.amounts) if found else "", *why])) or why_no_cost(shown)


def why_no_cost(shown: ShownJob) -> str:
    """Return why nothing is known of the cost of a job, such as `no bill yet` while a bill is expected."""
    job = shown.job
    if job.billable_seconds is not None:
        return "no price"
    if is_serverless(job):
        return "billed by tokens"
    if not job.terminal or (job.unbilled and not shown.settled):
        return "no bill yet"
    # A description has the instances. An ended job without them was listed only.
    return "no bill" if job.instances else "unknown"


def is_serverless(job: TrainingJob) -> bool:
    """Return whether a job has no instances and is billed by tokens."""
    # The configuration may be missing from the description, but no other job starts without instances.
    return not job.instances and (job.serverless != NO_SERVERLESS or job.started is not None)


def cost_per_hour(shown: ShownJob) -> Amounts:
    """Return the cost per hour of the instances that a job holds now, by currency; empty if it holds none with a
    price."""
    held = holding(shown.job)
    return _per_hour(held.instances, held.usage, shown.rates)


def at_most(shown: ShownJob) -> Amounts:
    """Return what a job costs if it runs as long as MaxRuntimeInSeconds allows; empty if that is unknown or it has
    ended."""
    limit = shown.job.max_runtime_seconds
    if limit is None or shown.job.terminal:
        return {}
    return {currency: amount * limit / _HOUR for currency, amount in _run_per_hour(shown.job, shown.rates).items()}


def _run_per_hour(job: TrainingJob, rates: Rates) -> Amounts:
    return _per_hour(((i.type, i.number) for i in job.instances), usage_of_training(job.spot), rates)


def _per_hour(instances: Iterable[tuple[str, int]], usage: str, rates: Rates) -> Amounts:
    """Return the cost per hour of instances; empty while the price of any is unknown: a partial sum would look like the
    whole cost."""
    sums: dict[str, float] = {}
    for type_, number in instances:
        rate = rates.get((type_, usage))
        if not isinstance(rate, Rate):
            return {}
        # Exact enough for cents, and much faster than fractions.
        sums[rate.currency] = sums.get(rate.currency, 0.0) + float(rate.per_hour) * number
    return sums


def held_per_hour(targets: Iterable[ActiveCounts], usages: Collection[str] = USAGES) -> str:
    """Return what all instances cost per hour that are held now for these usages and are not prepaid, and how many have
    no price; "" if there are none."""
    sums, unpriced = dict[str, float](), 0
    for counts in targets:
        for (type_, usage), number in counts.charged.items():
            if usage not in usages or not number:
                continue
            if rate := counts.rates.get((type_, usage)):
                sums[rate.currency] = sums.get(rate.currency, 0.0) + float(rate.per_hour * number)
            else:
                unpriced += number
    missing = f"{counted(unpriced, 'instance')} without a price" if unpriced else ""
    return ", ".join(filter(None, [f"{text(sums)} per hour" if sums else "", missing]))


def idle_pools(counts: Iterable[ActiveCounts]) -> str:
    """Return what warm pools cost per hour that wait for a next job; "" if there are none."""
    return held_per_hour(counts, (WARM_POOL,))


def of_target(target: TargetRow) -> list[str]:
    """Return what a target costs now and what it has cost so far, as far as that is known."""
    found, spent = list(filter(None, [held_per_hour([target.counts])])), target.spent
    if spent and spent.by_currency:
        found.append(f"{text(spent.by_currency)} since {day(spent.since)}")
    if spent and spent.unpriced_instance_seconds:
        found.append(f"{span(spent.unpriced_instance_seconds)} of instances without a price")
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


def text(amounts: Amounts) -> str:
    """Return amounts by currency as text, such as `$1.25` or `CNY 9.50 and $1.25`."""
    return " and ".join(_money(currency, amount) for currency, amount in sorted(amounts.items()))


def _by_currency(rows: Iterable[Row]) -> Amounts:
    sums: dict[str, float] = {}
    for labels, value in rows:
        currency = str(labels[-1])
        sums[currency] = sums.get(currency, 0.0) + value
    return sums


def _money(currency: str, amount: float) -> str:
    symbol = _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"<{symbol}{_CENT}" if 0 < amount < _CENT else f"{symbol}{amount:,.2f}"
