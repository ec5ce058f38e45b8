"""Define the totals, `sagemaker_training_*`, by what one job adds to each. The ledger counts each job exactly once.

Spot savings are the difference of two totals: the time trained and the time billed. Both must include a job at the
same moment, or savings would look too high while a bill is late. Therefore training seconds and training instance
seconds wait for the bill. The other totals are not compared with the bill and count at once: jobs created, ended,
failed or interrupted, durations, and warm pools, which are billed separately.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from exporter.exposition.family import TARGET, Family, LabelValues, Row
from exporter.training.cost import Rate
from exporter.training.facts import Facts
from exporter.training.failures import FAILURE_CATEGORIES
from exporter.training.job import OUTCOMES
from exporter.training.stops import STOP_CAUSES
from exporter.training.usage import SPOT_TRAINING

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# From a download of some seconds to 28 days, the longest MaxRuntimeInSeconds that AWS grants.
DURATION_BUCKETS = (
    *(1.0, 5.0, 15.0, 30.0, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 28 * _DAY),
)
_SPOT: tuple[LabelValues, ...] = (("true",), ("false",))
# Costs are rounded to a billionth of the currency, once for each job, instance type and usage: sums of integers are
# exact, so a job that is subtracted and added again leaves no rounding error in a total.
NANO = 10**9
_ALONE: tuple[LabelValues, ...] = ((),)


def _total(
    name: str,
    help_: str,
    labels: tuple[str, ...],
    known: tuple[LabelValues, ...],
    rows: Callable[[Facts], Iterable[Row]],
) -> Family[Facts]:
    return Family(f"sagemaker_training_{name}_total", "counter", help_, TARGET, labels, rows, known)


def _durations(name: str, help_: str, labels: tuple[str, ...], rows: Callable[[Facts], Iterable[Row]]) -> Family[Facts]:
    """Return a histogram family. No label values are preset, because each one costs a series for every bucket."""
    return Family(f"sagemaker_training_{name}", "histogram", help_, TARGET, labels, rows, buckets=DURATION_BUCKETS)


def _cost(name: str, help_: str, labels: tuple[str, ...], rows: Callable[[Facts], Iterable[Row]]) -> Family[Facts]:
    full_name = f"sagemaker_training_{name}_total"
    return Family(full_name, "counter", help_, TARGET, labels, rows, parts=NANO, policy="prices")


def _amount(value: float | None, *labels: str) -> list[Row]:
    return [] if value is None else [(labels, float(value))]


def _by_type(facts: Facts, seconds: float | None) -> list[Row]:
    return [((type_, facts.spot), value) for type_, value in facts.times_instances(seconds)]


def _retained_by_type(facts: Facts) -> list[Row]:
    # Without KeepAlivePeriodInSeconds there is no warm pool, and a series that stays at 0 would suggest one.
    if not facts.value("pool") and facts.value("retained") is None:
        return []
    return [((type_,), value) for type_, value in facts.times_instances(facts.value("retained"))]


def _finished(facts: Facts) -> list[Row]:
    return [((facts.outcome,), 1.0)] if facts.outcome else []


def _failed(facts: Facts) -> list[Row]:
    return [((facts.failure_category,), 1.0)] if facts.failure_category else []


def _stopped(facts: Facts) -> list[Row]:
    return [((facts.stop_cause,), 1.0)] if facts.stop_cause else []


def _duration(facts: Facts) -> list[Row]:
    return _amount(facts.duration, facts.outcome) if facts.outcome else []


def _cost_of_bills(facts: Facts) -> list[Row]:
    return [((*key, rate.currency), round(rate.cost(amount) * NANO)) for key, rate, amount in facts.billed(Rate)]


def _saved(facts: Facts) -> list[Row]:
    """Return the cost saved by instance type; `Facts.saved` gives 0 until the job is settled."""
    return [
        ((type_, rate.currency), round(rate.cost(amount) * NANO))
        for type_, amount in facts.saved()
        if isinstance(rate := facts.rates.get((type_, SPOT_TRAINING)), Rate)
    ]


def _unpriced(facts: Facts) -> list[Row]:
    return [((key[0], reason), float(amount)) for key, reason, amount in facts.billed(str) if amount]


def _queued(facts: Facts) -> list[Row]:
    """Return one observation for each job. The types of a heterogeneous cluster, which starts as a whole, are joined as
    in `sagemaker_training_job_info`. Serverless jobs have none, because they do not wait for instances."""
    types = ",".join(type_ for type_, _ in facts.value("types") or ())
    return _amount(facts.queued, types, facts.spot) if types else []


TOTAL_FAMILIES: tuple[Family[Facts], ...] = (
    _total("jobs_created", "Training jobs created.", (), _ALONE, lambda facts: [((), 1.0)]),
    _total(
        "jobs_finished",
        "Training jobs that ended, by final status.",
        ("status",),
        tuple((s,) for s in OUTCOMES),
        _finished,
    ),
    _total(
        "jobs_failed",
        "Training jobs that failed, by failure category.",
        ("category",),
        tuple((c,) for c in FAILURE_CATEGORIES),
        _failed,
    ),
    _total(
        "jobs_stopped",
        "Training jobs that ended as Stopped, by what stopped them.",
        ("cause",),
        tuple((c,) for c in STOP_CAUSES),
        _stopped,
    ),
    _total(
        "seconds",
        "TrainingTimeInSeconds of all jobs. A job is counted when its bill is known.",
        ("spot",),
        _SPOT,
        lambda facts: _amount(facts.training_seconds, facts.spot),
    ),
    _total(
        "billable_seconds",
        "BillableTimeInSeconds of all jobs, per instance.",
        ("spot",),
        _SPOT,
        lambda facts: _amount(facts.billable_seconds, facts.spot),
    ),
    _total(
        "instance_seconds",
        "Training time multiplied by the number of instances. A job is counted when its bill is known.",
        ("instance_type", "spot"),
        (),
        lambda facts: _by_type(facts, facts.training_seconds),
    ),
    _total(
        "billable_instance_seconds",
        "Billed compute: billable time multiplied by the number of instances.",
        ("instance_type", "spot"),
        (),
        lambda facts: _by_type(facts, facts.billable_seconds),
    ),
    _cost(
        "cost",
        "Cost of the billed compute, in the currency of the price list.",
        ("instance_type", "usage", "currency"),
        _cost_of_bills,
    ),
    _cost(
        "spot_saved_cost",
        "Cost that spot saved: training time that was not billed, at the spot price.",
        ("instance_type", "currency"),
        _saved,
    ),
    Family(
        "sagemaker_training_unpriced_instance_seconds",
        "gauge",
        "Billed compute that no cost total includes, by the reason it has no price.",
        TARGET,
        ("instance_type", "reason"),
        _unpriced,
    ),
    _total(
        "spot_interruptions",
        "Spot interruptions of training jobs.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("interruptions")),
    ),
    _total(
        "warm_pool_retained_billable_seconds",
        "Billed time of warm pools, per instance.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("retained")),
    ),
    _total(
        "warm_pool_retained_billable_instance_seconds",
        "Billed time of warm pools multiplied by their number of instances.",
        ("instance_type",),
        (),
        _retained_by_type,
    ),
    _total(
        "warm_pool_reuses",
        "Warm pools that another job reused.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("reused")),
    ),
    _durations("job_duration_seconds", "Time from creation to end of a job.", ("status",), _duration),
    _durations(
        "phase_duration_seconds",
        "Time spent in a secondary status, observed each time a job leaves it.",
        ("secondary_status",),
        lambda facts: [((status,), seconds) for status, seconds in facts.value("phases") or ()],
    ),
    _durations(
        "queue_duration_seconds",
        "Time from creation of a job to TrainingStartTime, observed once the job has started. The instance types of a "
        "heterogeneous cluster are joined by commas.",
        ("instance_type", "spot"),
        _queued,
    ),
)
