"""Compute the totals of a schedule from the schedule itself, without the exporter's arithmetic."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter.exposition.family import LabelValues, Pairs
from exporter.exposition.labels import KeyNames
from exporter.exposition.text import TEXT
from exporter.ledger.series import Amounts, Series, SeriesKey
from exporter.ledger.sums import sums, tag_keys
from exporter.simulator import truth
from exporter.simulator.life import Life
from exporter.training.totals import DURATION_BUCKETS, TOTAL_FAMILIES

COST, SAVED, UNPRICED = (
    f"sagemaker_training_{name}" for name in ("cost_total", "spot_saved_cost_total", "unpriced_instance_seconds")
)


def expected(
    lives: Iterable[Life], tags_of: Callable[[Life], Pairs], now: float = math.inf
) -> dict[SeriesKey, Amounts]:
    """Return every series that is not 0, by now or at the end, without costs."""
    groups = by_team(lives, tags_of)
    return {key: amounts for tags, group in groups.items() for key, amounts in _series(truth.total(group, now), tags)}


def by_team(lives: Iterable[Life], tags_of: Callable[[Life], Pairs]) -> Mapping[Pairs, Sequence[Life]]:
    """Return the lives by their cost tags."""
    groups: defaultdict[Pairs, list[Life]] = defaultdict(list)
    for life in lives:
        groups[tags_of(life)].append(life)
    return groups


def cost_tags(life: Life, by_tags: Sequence[str]) -> Pairs:
    """Return the cost tags of a life with such a configuration."""
    return tuple((key, life.tags[key]) for key in by_tags if life.tags.get(key))


def shown(totals: Mapping[SeriesKey, Series]) -> dict[SeriesKey, Amounts]:
    """Return every series that is not 0.

    The value of a gauge is the current one, that of a counter its maximum. Savings are compared like gauges: they
    shrink when a bill that seemed final grows, and the counter waits until others have saved as much.
    """
    found = ((key, one.true if key.family in (UNPRICED, SAVED) else one.shown) for key, one in totals.items())
    return {key: amounts for key, amounts in found if any(amounts)}


def exposed(totals: Mapping[SeriesKey, Series], by_tags: Sequence[str]) -> Counter[tuple[str, int]]:
    """Return how many samples of a scrape have each value, without those of 0.

    Values are in the parts in which the ledger counts. Savings are left out: see `shown`.
    """
    samples = sums(totals, KeyNames.of(by_tags).extended(tag_keys(totals)))
    found = Counter[tuple[str, int]]()
    for family in TOTAL_FAMILIES:
        if family.kind != "histogram" and family.name != SAVED:
            parts = family.parts if family.parts > 1 else 1000
            lines = TEXT.lines(family, "", samples.get(family.name, ())).decode().splitlines()
            found.update((family.name, round(parts * float(line.rpartition(" ")[2]))) for line in lines)
    return Counter({sample: number for sample, number in found.items() if sample[1]})


def to_be_exposed(due: Mapping[SeriesKey, Amounts]) -> Counter[tuple[str, int]]:
    """Return the same for expected series: each is one sample, unless only the order of its tags differs."""
    values = Counter[tuple[str, LabelValues, frozenset[tuple[str, str]]]]()
    for key, amounts in due.items():
        if len(amounts) == 1 and key.family != SAVED:
            values[key.family, key.labels, frozenset(key.tags)] += amounts[0]
    return Counter((family, value) for (family, *_), value in values.items())


def _series(due: truth.Totals, tags: Pairs) -> Iterable[tuple[SeriesKey, Amounts]]:
    counters: dict[str, Mapping[str, int] | Mapping[tuple[str, str], int] | Mapping[tuple[()], int]] = {
        "jobs_created": {(): due.created},
        "jobs_finished": due.finished,
        "jobs_failed": due.failed,
        "jobs_stopped": due.stopped,
        "seconds": due.seconds,
        "billable_seconds": due.billable_seconds,
        "instance_seconds": due.instance_seconds,
        "billable_instance_seconds": due.billable_instance_seconds,
        "spot_interruptions": {(): due.interruptions},
        "warm_pool_retained_billable_seconds": {(): due.retained_seconds},
        "warm_pool_retained_billable_instance_seconds": due.retained_instance_seconds,
        "warm_pool_reuses": {(): due.reuses},
    }
    for name, values in counters.items():
        for labels, value in values.items():
            if value:
                label_values = labels if isinstance(labels, tuple) else (labels,)
                yield SeriesKey(f"sagemaker_training_{name}_total", label_values, tags), (value * 1000,)
    histograms: dict[str, Mapping[str, Sequence[float]] | Mapping[tuple[str, str], Sequence[float]]] = {
        "job_duration": due.durations,
        "phase_duration": due.phases,
        "queue_duration": due.queues,
    }
    for name, observed in histograms.items():
        for label, seconds in observed.items():
            label_values = label if isinstance(label, tuple) else (label,)
            yield SeriesKey(f"sagemaker_training_{name}_seconds", label_values, tags), _histogram(seconds)


def _histogram(seconds: Iterable[float]) -> Amounts:
    exact = [round(value * 1000) for value in seconds]
    below = (1000 * sum(ms <= bound * 1000 for ms in exact) for bound in DURATION_BUCKETS)
    return (*below, 1000 * len(exact), sum(exact))
