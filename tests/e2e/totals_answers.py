"""Compute what each query of docs/totals.md must return according to the schedule of the jobs."""

from __future__ import annotations

import math
import re
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.simulator import Life, Totals, expected, total
from exporter.simulator.life import Span, timeline
from tests.prometheus import ROOT, Sample

# By the values of the labels, in the order of their names.
Vector = dict[tuple[str, ...], float]

QUEUE = ("Pending", "Starting", "LaunchingMLInstances", "PreparingTrainingStack")
# Repeated from the catalogue, so that the removal of a bucket is noticed.
BOUNDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 259200, 604800, 2419200)

# What a job with one of these messages waits for.
_REASONS = {
    "Starting the training job": "launching",
    "Launching requested ML instances": "launching",
    "Insufficient capacity error from EC2 while launching instances, retrying!": "insufficient_capacity",
    "Launched instance was unhealthy, replacing it!": "unhealthy_instance",
    "Preparing the instances for training": "preparing",
    "Training job waiting for capacity": "pending",
    "Downloading the training image": "downloading_image",
}

BLOCK = re.compile(r"^```promql\n(.+?)^```\n", re.MULTILINE | re.DOTALL)


def queries() -> dict[str, str]:
    """Return the queries by the heading above each: one query per heading."""
    text = (ROOT / "docs/totals.md").read_text()
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
    """Hold the jobs, the time range of the query, and the price per hour by type."""

    lives: Sequence[Life]
    start: float
    end: float
    prices: Mapping[str, float]

    def gained(self, of: Callable[[Totals], Counter[str]], lives: Sequence[Life] | None = None) -> Counter[str]:
        """Return how much a sum grew between start and end."""
        those = self.lives if lives is None else lives
        found = Counter(of(total(those, self.end)))
        found.subtract(of(total(those, self.start)))
        return found

    def of_team(self, team: str) -> list[Life]:
        return [life for life in self.lives if life.tags.get("team", "") == team]

    def dollars(self, seconds: Mapping[str, float]) -> dict[str, float]:
        return {kind: n / 3600 * self.prices[kind] for kind, n in seconds.items() if kind in self.prices}


Answer = Callable[[Case], Vector]


def _by_type(counts: Mapping[tuple[str, str], int], spot: str = "") -> Counter[str]:
    found = Counter[str]()
    for (kind, its), seconds in counts.items():
        found[kind] += seconds if spot in {"", its} else 0
    return found


def billed(truth: Totals) -> Counter[str]:
    return _by_type(truth.billable_instance_seconds)


def _saved(truth: Totals) -> Counter[str]:
    found = _by_type(truth.instance_seconds, "true")
    found.subtract(_by_type(truth.billable_instance_seconds, "true"))
    return found


def _labelled(values: Mapping[str, float]) -> Vector:
    return {(label,): value for label, value in values.items()}


def spend_by_type(case: Case) -> Vector:
    return _labelled(case.dollars(case.gained(billed)))


def without_a_price(case: Case) -> Vector:
    return _labelled({kind: n / 3600 for kind, n in case.gained(billed).items() if kind not in case.prices})


def spend_by_team_and_type(case: Case) -> Vector:
    teams = {life.tags.get("team", "") for life in case.lives}
    spent = {team: case.dollars(case.gained(billed, case.of_team(team))) for team in teams}
    return {(kind, team) if team else (kind,): value for team, of in spent.items() for kind, value in of.items()}


def spend_by_team(case: Case) -> Vector:
    found: Vector = {}
    for (_, *team), value in spend_by_team_and_type(case).items():
        found[*team,] = found.get((*team,), 0.0) + value
    return found


def saved_by_spot(case: Case) -> Vector:
    return _labelled(case.dollars(case.gained(_saved)))


def share_saved_by_spot(case: Case) -> Vector:
    trained = case.gained(lambda truth: _by_type(truth.instance_seconds, "true")).total()
    return {(): case.gained(_saved).total() / trained}


def failure_rate(case: Case) -> Vector:
    ended = case.gained(lambda truth: truth.finished).total()
    return _labelled({kind: n / ended for kind, n in case.gained(lambda truth: truth.failed).items()})


def idle_pools(case: Case) -> Vector:
    return _labelled(case.dollars(case.gained(lambda truth: truth.retained_instance_seconds)))


def _started(life: Life) -> float | None:
    return next((span.start for span in timeline(life) if span.phase.on_instances), None)


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
    return {(): _interpolated(waits(case), 0.5)}


def queue_time(case: Case) -> Vector:
    """Return the queue time of all jobs so far, whatever the start of the range."""
    queues: dict[str, list[float]] = {}
    for (types, _), seconds in total(case.lives, case.end).queues.items():
        queues.setdefault(types, []).extend(seconds)
    return {(types,): _interpolated(seconds, 0.95) for types, seconds in queues.items()}


def _interpolated(observed: Sequence[float], quantile: float) -> float:
    """Return the quantile as histogram_quantile does: observations are spread evenly within a bucket."""
    upto = [sum(seconds <= bound for seconds in observed) for bound in BOUNDS]
    rank = len(observed) * quantile
    bucket = bisect_left(upto, rank)
    low, before = (BOUNDS[bucket - 1], upto[bucket - 1]) if bucket else (0, 0)
    return low + (BOUNDS[bucket] - low) * (rank - before) / (upto[bucket] - before)


def _ran(life: Life, now: float) -> float:
    """Return the seconds on instances so far."""
    return sum(
        min(span.end, now) - span.start for span in timeline(life) if span.phase.on_instances and span.start <= now
    )


def _current(life: Life, now: float) -> Span | None:
    """Return the phase of a job in progress."""
    span = next((span for span in timeline(life) if span.start <= now < span.end), None)
    return span if span and span.phase.job_status == "InProgress" else None


def near_a_limit(case: Case) -> Vector:
    found: Vector = {}
    for life in case.lives:
        span, limits = _current(life, case.end), life.spec["StoppingCondition"]
        if span is None:
            continue
        left = {"max_wait": life.created + limits.get("MaxWaitTimeInSeconds", math.inf) - case.end}
        if span.phase.on_instances:
            left["max_runtime"] = limits["MaxRuntimeInSeconds"] - _ran(life, case.end)
        if span.phase.status == "Pending" and "TrainingPlanArn" not in life.spec["ResourceConfig"]:
            left["max_pending"] = span.start + limits.get("MaxPendingTimeInSeconds", math.inf) - case.end
        found |= {(life.account, life.region, life.name, limit): n for limit, n in left.items() if n < 3600}
    return found


def waiting(case: Case) -> Vector:
    found: Vector = {}
    for life in case.lives:
        if span := _current(life, case.end):
            message = span.phase.message_after(case.end - span.start)
            unknown = "" if span.phase.on_instances else "other"
            if reason := _REASONS.get(message, unknown):
                found[life.account, life.region, life.name, reason] = case.end - span.start
    return found


ANSWERS: Mapping[str, Answer] = {
    "Spend by instance type": spend_by_type,
    "Types without a price": without_a_price,
    "Spend by team": spend_by_team,
    "Spend by team and instance type": spend_by_team_and_type,
    "This month, without Grafana": spend_by_type,
    "Saved by spot": saved_by_spot,
    "Share saved by spot": share_saved_by_spot,
    "Failure rate by category": failure_rate,
    "Idle warm pools": idle_pools,
    "Median queue time": median_queue_time,
    "Median wait for capacity": median_wait,
    "Queue time by instance type": queue_time,
    "Jobs that wait, and why": waiting,
    "Jobs about to be stopped by a limit": near_a_limit,
}
# The results of these depend on the time of the query, not on its range.
OF_THE_MOMENT = frozenset(
    {"This month, without Grafana", "Jobs that wait, and why", "Jobs about to be stopped by a limit"}
)


def vector(samples: Sequence[Sample]) -> Vector:
    """Return the result of Prometheus without values of 0."""
    found: Vector = {}
    for sample in samples:
        key = tuple(value for _, value in sorted(sample.labels.items()))
        assert key not in found, f"{key}: twice"
        found[key] = sample.value
    return nonzero(found)


def nonzero(values: Vector) -> Vector:
    """Return the values other than 0: a type or kind that adds nothing may be missing."""
    return {key: value for key, value in values.items() if value}
