"""The totals, `sagemaker_training_*`: what one job adds to each. The ledger sums them, exactly once per job.

What a spot job saved is the difference of two totals, of the time it trained and of the time it is billed for: both
must get their part of a job at the same moment, or savings look better than they are while a bill is late. So training
seconds, plain and times instances, wait for the bill. The other totals are not compared with it and count at once: jobs
that were created, ended, failed or interrupted, durations, and warm pools, which have a bill of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from exporter.exposition.family import TARGET, Family, LabelValues, Row
from exporter.training.cost import Rate
from exporter.training.facts import Facts
from exporter.training.job import FAILURE_CATEGORIES, OUTCOMES
from exporter.training.stops import STOP_CAUSES
from exporter.training.usage import SPOT_TRAINING

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# From the seconds of a download to the 28 days a job may train.
DURATION_BUCKETS = (
    *(1.0, 5.0, 15.0, 30.0, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 28 * _DAY),
)
_SPOT: tuple[LabelValues, ...] = (("true",), ("false",))
# Costs are rounded to this part of the currency, once for each job, type and usage.
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
    """A histogram. It starts with the label values that occurred: each one costs a series for every bucket."""
    return Family(f"sagemaker_training_{name}", "histogram", help_, TARGET, labels, rows, buckets=DURATION_BUCKETS)


def _cost(name: str, help_: str, labels: tuple[str, ...], rows: Callable[[Facts], Iterable[Row]]) -> Family[Facts]:
    return Family(f"sagemaker_training_{name}_total", "counter", help_, TARGET, labels, rows, parts=NANO)


def _amount(value: float | None, *labels: str) -> list[Row]:
    return [] if value is None else [(labels, float(value))]


def _by_type(facts: Facts, seconds: float | None) -> list[Row]:
    return [((type_, facts.spot), value) for type_, value in facts.times_instances(seconds)]


def _retained_by_type(facts: Facts) -> list[Row]:
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
    return [
        ((*key, rate.currency), round(rate.cost(amount) * NANO))
        for key, amount in facts.billed()
        if isinstance(rate := facts.rates.get(key), Rate)
    ]


def _saved(facts: Facts) -> list[Row]:
    """A spot job that was interrupted before its bill is known has saved nothing yet."""
    return [
        ((type_, rate.currency), round(rate.cost(amount) * NANO))
        for type_, amount in facts.saved()
        if isinstance(rate := facts.rates.get((type_, SPOT_TRAINING)), Rate)
    ]


def _unpriced(facts: Facts) -> list[Row]:
    return [
        ((key[0], rate), float(amount))
        for key, amount in facts.billed()
        if amount and isinstance(rate := facts.rates.get(key), str)
    ]


def _queued(facts: Facts) -> list[Row]:
    """One observation for each job: the types of a heterogeneous cluster, which starts as a whole, are joined as in
    `sagemaker_training_job_info`. A serverless job waits for no instances and has none."""
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
        "Training jobs that failed, by kind of failure.",
        ("category",),
        tuple((c,) for c in FAILURE_CATEGORIES),
        _failed,
    ),
    _total(
        "jobs_stopped",
        "Training jobs that ended as Stopped, by who or what stopped them.",
        ("cause",),
        tuple((c,) for c in STOP_CAUSES),
        _stopped,
    ),
    _total(
        "seconds",
        "TrainingTimeInSeconds of all jobs, counted with their bill.",
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
        "Training time times instances, counted with the bill.",
        ("instance_type", "spot"),
        (),
        lambda facts: _by_type(facts, facts.training_seconds),
    ),
    _total(
        "billable_instance_seconds",
        "Billed compute: billable time times instances.",
        ("instance_type", "spot"),
        (),
        lambda facts: _by_type(facts, facts.billable_seconds),
    ),
    _cost(
        "cost",
        "Billed compute times its price, in the currency of the price list.",
        ("instance_type", "usage", "currency"),
        _cost_of_bills,
    ),
    _cost(
        "spot_saved_cost",
        "What spot saved at the spot price: training time that was not billed.",
        ("instance_type", "currency"),
        _saved,
    ),
    Family(
        "sagemaker_training_unpriced_instance_seconds",
        "gauge",
        "Billed compute that no cost total contains, by why it has no price.",
        TARGET,
        ("instance_type", "reason"),
        _unpriced,
    ),
    _total(
        "spot_interruptions",
        "How often spot capacity was taken from a job.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("interruptions")),
    ),
    _total(
        "warm_pool_retained_billable_seconds",
        "Billed time of kept warm pools, per instance.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("retained")),
    ),
    _total(
        "warm_pool_retained_billable_instance_seconds",
        "Billed time of kept warm pools times their instances.",
        ("instance_type",),
        (),
        _retained_by_type,
    ),
    _total(
        "warm_pool_reuses",
        "Warm pools that another job took over.",
        (),
        _ALONE,
        lambda facts: _amount(facts.value("reused")),
    ),
    _durations("job_duration_seconds", "From creation to end of a job.", ("status",), _duration),
    _durations(
        "phase_duration_seconds",
        "Time spent in a secondary status, one observation for each time it was left.",
        ("secondary_status",),
        lambda facts: [((status,), seconds) for status, seconds in facts.value("phases") or ()],
    ),
    _durations(
        "queue_duration_seconds",
        "From creation of a job to TrainingStartTime, once it has started. Types of a heterogeneous cluster are joined "
        "by commas.",
        ("instance_type", "spot"),
        _queued,
    ),
)
