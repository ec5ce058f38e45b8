"""Answers at the top of the status page what an operator asks first: failures, waiting, deadlines, money and quotas.

What was not read yet is unknown, and no answer takes it for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from exporter.training.deadline import deadlines
from exporter.training.job import TERMINAL, TrainingJob
from exporter.web.page import links, money
from exporter.web.page.phases import waiting_since
from exporter.web.page.reasons import FAILED, waits_for
from exporter.web.page.records import ShownJob, Status, TargetRow
from exporter.web.page.selection import POOL, Query
from exporter.web.page.text import Moment, Whole, counted, moment, span

UNKNOWN = "unknown yet"
_UNKNOWN_REASON = "unknown reason"
# The share of a quota from which the page warns.
_NEARLY = 0.8
_HOUR = 3600.0


class Tile(NamedTuple):
    """One answer: its title, its value with the CSS class of its colour, and a note. `link` leads to what it is about,
    None if that is nothing."""

    title: str
    value: str | Moment
    kind: str = ""
    note: str = ""
    link: Whole | None = None


class _Use(NamedTuple):
    """How much of a quota is held, from 0 to 1 and above, and what to say of it."""

    share: float
    what: str


def tiles(status: Status) -> list[Tile]:
    """Return the answers, in the order of the page."""
    return [
        _failed(status),
        _waiting(status),
        _deadline(status),
        _cost(status),
        _idle_pools(status),
        _wasted(status),
        _quota(status),
        _down(status.own),
    ]


def readiness(status: Status) -> tuple[str, str]:
    """Return the CSS class and the text of the state of the exporter: green only if it polls what it should."""
    down = sum(target.up is False for target in status.own)
    if down and down == len(status.own):
        return "bad", "✗ every target is down"
    if status.cut_off:
        return "bad", "✗ the database is out of reach"
    if status.targets and not status.own:
        return "idle", "standing by: other replicas poll all targets"
    if not status.ready:
        return "warn", "… not ready yet"
    if down:
        return "warn", f"ready, {down:,} of {len(status.own):,} targets down"
    return "good", "✓ ready"


def _failed(status: Status) -> Tile:
    title = f"Failed in the last {status.failed_within / _HOUR:,.0f} h"
    found = Counter[str]()
    for target in status.targets:
        found.update(target.failed)
    number = found.total()
    if not number:
        return Tile(title, "none") if status.known else Tile(title, UNKNOWN)
    causes = ", ".join(f"{category or _UNKNOWN_REASON} {n:,}" for category, n in found.most_common())
    least = "" if status.known else "at least "
    return Tile(title, f"{least}{number:,}", "bad", causes, Query(reason=FAILED).link())


def _waiting(status: Status) -> Tile:
    title = "Waiting longest"
    waits = [one for one in status.jobs if one.job.waiting]
    waiting = [(since, one) for one in waits if (since := waiting_since(one.job)) is not None]
    if not waiting:
        return _none(title, status)
    since, longest = min(waiting, key=lambda each: each[0])
    note = f"{waits_for(longest.job) or _UNKNOWN_REASON}: {longest.job.name}"
    return Tile(title, span(status.now - since), "warn", note, links.of_job(status.root, longest.job))


def _deadline(status: Status) -> Tile:
    title = "Nearest deadline"
    found = _nearest_deadline(status.jobs, status.now)
    if found is None:
        return _none(title, status)
    time, nearest = found
    limit = next(limit for limit, each in deadlines(nearest.job).items() if each == time).replace("_", " ")
    value = moment(time, status.now) or f"in {span(time - status.now)}"
    return Tile(title, value, "", f"{limit}: {nearest.job.name}", links.of_job(status.root, nearest.job))


def _nearest_deadline(jobs: Iterable[ShownJob], now: float) -> tuple[float, ShownJob] | None:
    """Return the nearest deadline that has not passed yet, and its job. AWS stops a job a moment after its deadline."""
    best: tuple[float, ShownJob] | None = None
    # No limit ends a job before its creation plus the limit: in that order, most jobs need no closer look.
    possible = [(earliest, one) for one in jobs if (earliest := _earliest_deadline(one.job)) is not None]
    for earliest, one in sorted(possible, key=itemgetter(0)):
        if best and earliest >= best[0]:
            break
        time = min((each for each in deadlines(one.job).values() if each > now), default=None)
        if time is not None and (best is None or time < best[0]):
            best = time, one
    return best


def _earliest_deadline(job: TrainingJob) -> float | None:
    if job.status in TERMINAL:
        return None
    limits = (job.max_runtime_seconds, job.max_wait_seconds, job.max_pending_seconds)
    known = [limit for limit in limits if limit is not None]
    return (job.created or 0.0) + min(known) if known else None


def _cost(status: Status) -> Tile:
    now = money.held_per_hour(target.counts for target in status.targets)
    return Tile("Cost now", now) if now else _none("Cost now", status, "nothing held")


def _idle_pools(status: Status) -> Tile:
    now = money.idle_pools(target.counts for target in status.targets)
    if not now:
        return _none("Idle warm pools", status)
    return Tile("Idle warm pools", now, "warn", "", Query(pool=POOL, sort="rate").link())


def _wasted(status: Status) -> Tile:
    title = "Wasted GPUs"
    if not status.measures_gpus:
        return Tile(title, "not measured", "", "the utilization of GPUs is not read")
    measured = [one for one in status.jobs if one.utilization]
    idle = [(share, one) for one in measured if (share := idle_gpus(one)) is not None]
    if not idle:
        return Tile(title, "none measured") if status.known else Tile(title, UNKNOWN)
    sums, unpriced = dict[str, float](), 0
    for share, one in idle:
        per_hour = money.cost_per_hour(one)
        unpriced += not per_hour
        for currency, amount in per_hour.items():
            sums[currency] = sums.get(currency, 0.0) + amount * share
    missing = f"{counted(unpriced, 'job')} without a price" if unpriced else ""
    share, worst = max(idle, key=lambda each: (_largest(each[1]) * each[0], each[0]))
    note = "; ".join(filter(None, [f"most: {worst.job.name}, {share:.0%} idle", missing if sums else ""]))
    value = f"{money.text(sums)} per hour" if sums else missing
    return Tile(title, value, "warn" if any(sums.values()) else "", note, links.of_job(status.root, worst.job))


def _largest(shown: ShownJob) -> float:
    return max(money.cost_per_hour(shown).values(), default=0.0)


def idle_gpus(shown: ShownJob) -> float | None:
    """Return the share of the GPUs of a job that is idle, averaged over its hosts; None if it is not measured."""
    hosts = shown.utilization.ratios.get("gpu", ()) if shown.utilization else ()
    return max(0.0, 1 - sum(ratio for _, ratio in hosts) / len(hosts)) if hosts else None


def _quota(status: Status) -> Tile:
    title = "Quota nearest to full"
    known = [target for target in status.targets if target.quotas is not None]
    if not known:
        return Tile(title, "unknown", "", "no quotas were read")
    fullest = max((use for target in known for use in _uses(target)), default=None)
    if fullest is None:
        return _none(title, status, "nothing held")
    kind = "bad" if fullest.share >= 1 else "warn" if fullest.share >= _NEARLY else ""
    return Tile(title, f"{fullest.share:.0%}" if fullest.share < float("inf") else "above 0", kind, fullest.what)


def _uses(target: TargetRow) -> Iterator[_Use]:
    """Yield how much of each quota of a target is held."""
    quotas, held = target.quotas, target.counts.instances
    if quotas is None:
        return
    for (type_, usage), number in held.items():
        if (quota := quotas.by_type.get((type_, usage))) is not None and number:
            yield _use(number, quota, f"{type_} for {usage.replace('_', ' ')}", target.region)
    if quotas.all_instances is not None and (number := sum(held.values())):
        yield _use(number, quotas.all_instances, "instances of all jobs", target.region)


def _use(number: int, quota: float, what: str, region: str) -> _Use:
    share = number / quota if quota else float("inf")
    return _Use(share, f"{number:,} of {quota:,.0f} {what}, {region}")


def _down(targets: tuple[TargetRow, ...]) -> Tile:
    down = [target for target in targets if target.up is False]
    value = f"{len(down):,} of {len(targets):,}"
    if not down:
        untried = sum(target.up is None for target in targets)
        return Tile("Targets down", value, "", f"{untried:,} not tried yet" if untried else "")
    first = "/".join(filter(None, (down[0].account_id, down[0].region))) or "own account"
    note = first + (f" and {len(down) - 1:,} more" if len(down) > 1 else "")
    return Tile("Targets down", value, "bad", note, Whole("#targets"))


def _none(title: str, status: Status, text: str = "none") -> Tile:
    return Tile(title, text if status.known else UNKNOWN)
