"""The short queries of docs/queries.md, and what each must answer by the schedule of the jobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from exporter.simulator import Life, total
from exporter.simulator.life import Span
from exporter.training.usage import USAGES
from tests.e2e.totals_answers import Answer, Case, Vector, interpolated, prepaid, saved_by_spot, used

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


def spend_by_team(case: Case) -> Vector:
    teams = {life.tags.get("team", "") for life in case.lives}
    return {("USD", *([t] if t else ())): sum(case.spent(lives=case.of_team(t)).values()) for t in teams}


def spend_by_type_and_usage(case: Case) -> Vector:
    return {("USD", kind, usage): n for usage in USAGES for kind, n in case.spent(usage).items()}


def saved(case: Case) -> Vector:
    return {("USD",): sum(saved_by_spot(case).values())}


def interruptions(case: Case) -> Vector:
    (region,) = {life.region for life in case.lives}
    return {(region,): case.gained(lambda truth: Counter(all=truth.interruptions))["all"]}


def without_a_price(case: Case) -> Vector:
    """Of all jobs so far, whatever the start."""
    found = Counter[tuple[str, ...]]()
    for life in case.lives:
        truth = total([life], case.end)
        for usage in USAGES:
            for kind, seconds in used(truth, usage).items():
                if prepaid(life) or (kind, usage) not in case.prices:
                    found[kind, "training_plan" if prepaid(life) else "no_price"] += seconds
    return {key: seconds / 3600 for key, seconds in found.items()}


def _bill(case: Case, life: Life) -> float:
    truth = total([life], case.end)
    parts = (
        seconds / 3600 * case.prices.get((kind, usage), 0.0)
        for usage in USAGES
        for kind, seconds in used(truth, usage).items()
    )
    return 0.0 if prepaid(life) else sum(parts)


def most_expensive(case: Case) -> Vector:
    """Of all jobs so far: the range that is asked for began before the first."""
    bills = {(life.account, life.region, "USD", life.name): _bill(case, life) for life in case.lives}
    return dict(sorted(bills.items(), key=lambda item: -item[1])[:20])


def queue_time(case: Case) -> Vector:
    """Of the jobs that started in the range."""
    before, queues = total(case.lives, case.start).queues, total(case.lives, case.end).queues
    found: dict[str, list[float]] = {}
    for (types, spot), seconds in queues.items():
        gained = Counter(seconds)
        gained.subtract(Counter(before.get((types, spot), ())))
        found.setdefault(types, []).extend(gained.elements())
    return {(types,): interpolated(seconds, 0.95) for types, seconds in found.items() if seconds}


def _ran(life: Life, now: float) -> float:
    """Seconds on instances so far."""
    return sum(
        min(span.end, now) - span.start for span in life.timeline if span.phase.on_instances and span.start <= now
    )


def _current(life: Life, now: float) -> Span | None:
    """The phase of a job in progress."""
    span = next((span for span in life.timeline if span.start <= now < span.end), None)
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
        if span.phase.status == "Pending" and "TrainingPlanArn" not in life.spec.get("ResourceConfig", {}):
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


def _usage(life: Life) -> str:
    return "spot_training" if life.spot else "training"


def _per_hour(case: Case, life: Life) -> float:
    """What a job that holds instances costs per hour; 0 where nobody knows, as one of its types has no price."""
    span = _current(life, case.end)
    if span is None or not span.phase.on_instances or prepaid(life):
        return 0.0
    prices = [case.prices.get((group.instance_type, _usage(life))) for group in life.groups]
    if None in prices:
        return 0.0
    return sum(group.count * (price or 0.0) for group, price in zip(life.groups, prices, strict=True))


def _of_jobs(case: Case, seconds: Mapping[str, float]) -> Vector:
    costs = ((life, _per_hour(case, life)) for life in case.lives)
    return {
        (life.account, life.region, "USD", life.name): cost * seconds[life.name] / 3600 for life, cost in costs if cost
    }


def cost_so_far(case: Case) -> Vector:
    started = {
        life.name: case.end - next(span.start for span in life.timeline if span.phase.on_instances)
        for life in case.lives
        if _per_hour(case, life)
    }
    return _of_jobs(case, started)


def cost_at_most(case: Case) -> Vector:
    return _of_jobs(case, {life.name: life.spec["StoppingCondition"]["MaxRuntimeInSeconds"] for life in case.lives})


def idle_pools_per_hour(case: Case) -> Vector:
    waits = [life for life in case.lives if _has_pool(life, case.end)]
    return {
        ("USD",): sum(
            g.count * case.prices.get((g.instance_type, "warm_pool"), 0.0) for life in waits for g in life.groups
        )
    }


def fleet_per_hour(case: Case) -> Vector:
    """By type: one without a price hides no other, as it does in the cost of a job."""
    runs = [life for life in case.lives if (span := _current(life, case.end)) and span.phase.on_instances]
    trains = sum(g.count * case.prices.get((g.instance_type, _usage(life)), 0.0) for life in runs for g in life.groups)
    return {("USD",): trains + idle_pools_per_hour(case)["USD",]}


def _has_pool(life: Life, now: float) -> bool:
    spans, pool = life.timeline, life.pool
    began = any(span.phase.on_instances for span in spans)
    if not (life.ending and began and pool and pool.shows and len(spans) == len(life.phases)):
        return False
    return round(life.end + pool.appears_after, 3) <= now < round(life.end + pool.released_after, 3)


ANSWERS: Mapping[str, Answer] = {
    "Cost of the fleet per hour": fleet_per_hour,
    "Idle warm pools per hour": idle_pools_per_hour,
    "Spend by team": spend_by_team,
    "Spend by instance type and usage": spend_by_type_and_usage,
    "Saved by spot": saved,
    "Interruptions of spot jobs": interruptions,
    "Cost of a job so far": cost_so_far,
    "Cost of a job at most": cost_at_most,
    "Most expensive jobs": most_expensive,
    "Hours without a price": without_a_price,
    "Jobs that wait, and why": waiting,
    "Jobs about to be stopped by a limit": near_a_limit,
    "Queue time by instance type": queue_time,
}
# The moment they are asked at decides what these answer, and not the range.
OF_THE_MOMENT = frozenset(
    {
        "Cost of the fleet per hour",
        "Idle warm pools per hour",
        "Cost of a job so far",
        "Cost of a job at most",
        "Hours without a price",
        "Jobs that wait, and why",
        "Jobs about to be stopped by a limit",
    }
)
# Jobs that ended before the range have no series in it.
SINCE_THE_BEGINNING = frozenset({"Most expensive jobs"})
# What rules make of several families has cases of its own: tests/deploy/rules/recording-month.test.yml and -jobs.
MONTH_TO_DATE = "Spend this month by team"
KEPT_BY_A_RULE = frozenset({MONTH_TO_DATE, "Failed jobs by reason and type"})
