"""The exact queries of docs/totals.md, and what each must answer by the schedule of the jobs."""

from __future__ import annotations

import re
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.simulator import Life, Totals, expected, total
from exporter.training.usage import USAGES
from tests.prometheus import ROOT, Sample

# By the values of the labels, in the order of their names.
Vector = dict[tuple[str, ...], float]

QUEUE = ("Pending", "Starting", "LaunchingMLInstances", "PreparingTrainingStack")
# Repeated from the catalogue, so that the removal of a bucket is noticed.
BOUNDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 259200, 604800, 2419200)

BLOCK = re.compile(r"^```promql\n(.+?)^```\n", re.MULTILINE | re.DOTALL)


def queries(document: str = "docs/totals.md") -> dict[str, str]:
    """By the heading above each: one heading, one query."""
    text = (ROOT / document).read_text()
    found = {}
    for section in re.split(r"^#{2,3} ", text, flags=re.MULTILINE):
        if blocks := BLOCK.findall(section):
            (found[section.partition("\n")[0]],) = blocks
    return found


def asked(query: str, seconds: float) -> str:
    """Return the query as Grafana sends it for a range of that length."""
    return query.replace("$__range_s", f"{seconds:.0f}").replace("$__range", f"{seconds:.0f}s")


@dataclass(frozen=True, slots=True)
class Case:
    """The jobs, from when to when they are asked for, and what an hour costs by type and usage."""

    lives: Sequence[Life]
    start: float
    end: float
    prices: Mapping[tuple[str, str], float]

    def gained(self, of: Callable[[Totals], Counter[str]], lives: Sequence[Life] | None = None) -> Counter[str]:
        """Return how much a sum grew between start and end."""
        those = self.lives if lives is None else lives
        found = Counter(of(total(those, self.end)))
        found.subtract(of(total(those, self.start)))
        return found

    def of_team(self, team: str) -> list[Life]:
        return [life for life in self.lives if life.tags.get("team", "") == team]

    def spent(self, *usages: str, lives: Sequence[Life] | None = None) -> dict[str, float]:
        """What was billed in between by type, for these usages or all; plans are paid for beforehand."""
        found: dict[str, float] = {}
        unpaid = [life for life in (self.lives if lives is None else lives) if not prepaid(life)]
        for usage in usages or USAGES:
            for kind, seconds in self.gained(partial(used, usage=usage), unpaid).items():
                found[kind] = found.get(kind, 0.0) + seconds / 3600 * self.prices.get((kind, usage), 0.0)
        return found


Answer = Callable[[Case], Vector]


def _by_type(counts: Mapping[tuple[str, str], int], spot: str = "") -> Counter[str]:
    found = Counter[str]()
    for (kind, its), seconds in counts.items():
        found[kind] += seconds if spot in {"", its} else 0
    return found


def billed(truth: Totals) -> Counter[str]:
    return _by_type(truth.billable_instance_seconds)


def used(truth: Totals, usage: str) -> Counter[str]:
    """The billed instance seconds of a usage by type."""
    if usage == "warm_pool":
        return Counter(truth.retained_instance_seconds)
    return _by_type(truth.billable_instance_seconds, str(usage == "spot_training").lower())


def prepaid(life: Life) -> bool:
    return "TrainingPlanArn" in life.spec.get("ResourceConfig", {})


def _saved(truth: Totals) -> Counter[str]:
    found = _by_type(truth.instance_seconds, "true")
    found.subtract(_by_type(truth.billable_instance_seconds, "true"))
    return found


def _labelled(values: Mapping[str, float], *before: str) -> Vector:
    return {(*before, label): value for label, value in values.items()}


def spend_by_type(case: Case) -> Vector:
    return _labelled(case.spent(), "USD")


def spend_by_team_and_type(case: Case) -> Vector:
    teams = {life.tags.get("team", "") for life in case.lives}
    spent = {team: case.spent(lives=case.of_team(team)) for team in teams}
    return {("USD", kind, *([team] if team else ())): value for team, of in spent.items() for kind, value in of.items()}


def idle_pools(case: Case) -> Vector:
    return _labelled(case.spent("warm_pool"), "USD")


def saved_by_spot(case: Case) -> Vector:
    unpaid = [life for life in case.lives if not prepaid(life)]
    saved = case.gained(_saved, unpaid).items()
    return {("USD", kind): n / 3600 * case.prices.get((kind, "spot_training"), 0.0) for kind, n in saved}


def share_saved_by_spot(case: Case) -> Vector:
    trained = case.gained(lambda truth: _by_type(truth.instance_seconds, "true")).total()
    return {(): case.gained(_saved).total() / trained}


def failure_rate(case: Case) -> Vector:
    ended = case.gained(lambda truth: truth.finished).total()
    return _labelled({kind: n / ended for kind, n in case.gained(lambda truth: truth.failed).items()})


def _started(life: Life) -> float | None:
    return next((span.start for span in life.timeline if span.phase.on_instances), None)


def median_queue_time(case: Case) -> Vector:
    waits = [
        started - life.created
        for life in case.lives
        if case.start <= life.created and (started := _started(life)) is not None and started <= case.end
    ]
    return {(): statistics.median(waits)}


def waits(case: Case) -> list[float]:
    """Return the stays without instances that ended in the range."""
    found = Counter[float]()
    for life in case.lives:
        for when, sign in ((case.end, 1), (case.start, -1)):
            if life.created <= when:
                stays = (seconds for status, seconds in expected(life, when).phases if status in QUEUE)
                found.update({seconds: sign * n for seconds, n in Counter(stays).items()})
    return sorted(found.elements())


def median_wait(case: Case) -> Vector:
    return {(): interpolated(waits(case), 0.5)}


def interpolated(observed: Sequence[float], quantile: float) -> float:
    """As histogram_quantile does: what was observed is spread evenly within its bucket."""
    upto = [sum(seconds <= bound for seconds in observed) for bound in BOUNDS]
    rank = len(observed) * quantile
    bucket = bisect_left(upto, rank)
    low, before = (BOUNDS[bucket - 1], upto[bucket - 1]) if bucket else (0, 0)
    return low + (BOUNDS[bucket] - low) * (rank - before) / (upto[bucket] - before)


ANSWERS: Mapping[str, Answer] = {
    "Spend by instance type": spend_by_type,
    "Spend by team and instance type": spend_by_team_and_type,
    "This month, without Grafana": spend_by_type,
    "Saved by spot, by instance type": saved_by_spot,
    "Share saved by spot": share_saved_by_spot,
    "Failure rate by category": failure_rate,
    "Spend on idle warm pools": idle_pools,
    "Median queue time": median_queue_time,
    "Median wait for capacity": median_wait,
}
# The moment it is asked at decides what it answers, and not the range.
OF_THE_MOMENT = frozenset({"This month, without Grafana"})


def vector(samples: Sequence[Sample]) -> Vector:
    """Return the result of Prometheus without values of 0."""
    found: Vector = {}
    for sample in samples:
        key = tuple(value for name, value in sorted(sample.labels.items()) if name != "__name__")
        assert key not in found, f"{key}: twice"
        found[key] = sample.value
    return nonzero(found)


def nonzero(values: Vector) -> Vector:
    """A type or kind that adds nothing may be there or not; differences of dollars are not 0 to the last bit, and a
    quantile of nothing is NaN."""
    return {key: value for key, value in values.items() if abs(value) > 1e-9}
