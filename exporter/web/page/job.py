"""Builds the page of one job: its phases, what it runs, who owns it, its costs, limits, utilization, metrics and rules.

Nothing here needs an allowlist of its own: the record of a job has only what the allowlist permits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from exporter.cloudwatch.families import UTILIZATION_METRICS
from exporter.training.deadline import deadlines
from exporter.training.job import NO_PROGRESS, Rule, TrainingJob
from exporter.training.stops import stop_cause
from exporter.web.page import links, money
from exporter.web.page.jobs import Mark, held_pool, instances, mark, secondary, why
from exporter.web.page.phases import lasted, waiting_since
from exporter.web.page.reasons import waits_for
from exporter.web.page.records import JobStatus, ShownJob
from exporter.web.page.strip import Tile, idle_gpus
from exporter.web.page.text import Moment, Whole, moment, phase_kind, span

_EXACT = "%Y-%m-%d %H:%M:%S UTC"
_KIND_TEXTS = {"cpu": "CPU", "memory": "Memory", "gpu": "GPU", "gpu_memory": "GPU memory", "disk": "Disk"}
_LIMITS = {"max_runtime": "MaxRuntime", "max_wait": "MaxWait", "max_pending": "MaxPending"}


class Fact(NamedTuple):
    """A line of a list of facts: its text, and a time that follows it."""

    term: str
    text: str
    when: Moment | None = None


class Group(NamedTuple):
    """A list of facts with its heading."""

    title: str
    facts: list[Fact]


class Step(NamedTuple):
    """A phase of the timeline. `left` and `width` are thousandths of the time from the first phase until now."""

    kind: str
    status: str
    start: Moment | None
    lasted: str
    left: str
    width: str
    message: str


class Host(NamedTuple):
    """The utilization of a host in percent, in the order of `JobShown.kinds`; "" where there is none."""

    name: str
    percents: list[str]


class Metric(NamedTuple):
    """A metric of the algorithm with its value and the time of the value."""

    name: str
    value: str
    when: Moment | None


class JobShown(NamedTuple):
    """The data of the template of one job."""

    job: TrainingJob
    mark: Mark
    details: list[str]
    """What the line of the status says besides."""
    console: Whole
    logs: Whole
    tiles: list[Tile]
    steps: list[Step]
    groups: list[Group]
    kinds: list[str]
    measured: Moment | None
    hosts: list[Host]
    live: list[Metric]
    final: list[Metric]
    rules: Sequence[Rule]


def job_shown(status: JobStatus) -> JobShown | None:
    """Return the data of the page of a job, None if it is not tracked."""
    shown, now = status.found, status.now
    if shown is None:
        return None
    job, found = shown.job, shown.utilization
    kinds = [kind for kind in UTILIZATION_METRICS if found and found.ratios.get(kind)]
    return JobShown(
        job,
        mark(job),
        _details(shown, now),
        links.console(job),
        links.logs(job),
        _tiles(shown, now),
        _steps(job, now),
        [group for group in _groups(shown, now) if group.facts],
        [_KIND_TEXTS[kind] for kind in kinds],
        moment(found.minute, now) if found else None,
        _hosts(shown, kinds),
        [Metric(name, _number(each.value), moment(each.minute, now)) for name, each in sorted(shown.algorithm.items())],
        [Metric(each.name, _number(each.value), moment(each.timestamp, now)) for each in job.final_metrics],
        job.rules,
    )


def _details(shown: ShownJob, now: float) -> list[str]:
    job = shown.job
    return list(filter(None, [secondary(job), why(job, now), held_pool(shown, now)]))


def _tiles(shown: ShownJob, now: float) -> list[Tile]:
    job = shown.job
    tiles = [Tile("Cost so far", money.cost(shown, now), note=_estimate(shown, now))]
    if most := money.at_most(shown):
        tiles.append(Tile("Cost at most", money.text(most), note="if it runs as long as MaxRuntime allows"))
    if per_hour := money.cost_per_hour(shown):
        tiles.append(Tile("Cost now", f"{money.text(per_hour)} per hour", note="warm pool" if job.terminal else ""))
    if (since := waiting_since(job)) is not None:
        tiles.append(Tile("Waiting for", span(now - since), "warn", waits_for(job)))
    if limits := deadlines(job):
        name, time = min(limits.items(), key=lambda item: item[1])
        if when := moment(time, now):
            tiles.append(Tile("Deadline", when, note=_LIMITS[name]))
    if (idle := idle_gpus(shown)) is not None:
        tiles.append(Tile("GPUs busy", f"{1 - idle:.0%}"))
    return tiles


def _estimate(shown: ShownJob, now: float) -> str:
    """Return what an amount is that no bill says; "" for a bill, or if nothing is known."""
    found = money.so_far(shown, now)
    if found is None or found.billed:
        return ""
    return "estimated, before the spot discount" if shown.job.spot else "estimated"


def _steps(job: TrainingJob, now: float) -> list[Step]:
    starts = [t.start for t in job.transitions if t.start is not None]
    first = min(starts, default=now)
    ends = [t.end for t in job.transitions if t.end is not None]
    total = max((now if not job.terminal else max(ends, default=now)) - first, 1.0)
    found = []
    for each in job.transitions:
        seconds = lasted(each, now)
        left, width = ((each.start or first) - first) / total, (seconds or 0.0) / total
        found.append(
            Step(
                phase_kind(each.status),
                each.status,
                moment(each.start, now),
                "unknown" if seconds is None else span(seconds),
                f"{1000 * min(max(left, 0.0), 1.0):.2f}",
                f"{1000 * min(max(width, 0.0), 1.0):.2f}",
                each.message,
            )
        )
    return found


def _groups(shown: ShownJob, now: float) -> list[Group]:
    job = shown.job
    return [
        Group("Failure", _failure(job)),
        Group("What it runs", _runs(job)),
        Group("Who owns it", _owned(job)),
        Group("Times", _times(job, now)),
        Group("Limits", _limits(job, now)),
        Group("Billing", _billing(job)),
    ]


def _failure(job: TrainingJob) -> list[Fact]:
    if job.outcome != "Failed":
        return _facts(("Stopped by", (stop_cause(job) or "").replace("_", " ")))
    known = job.failure_category is not None
    return _facts(
        ("Category", job.failure_category or "unknown"),
        ("Where to look", job.failure_detail.replace("_", " ") if known else ""),
        ("Reason", job.failure_reason),
    )


def _runs(job: TrainingJob) -> list[Fact]:
    serverless, progress = job.serverless, job.progress
    return _facts(
        ("Image", job.training_image),
        ("Algorithm", job.algorithm_name),
        ("Input mode", job.input_mode),
        ("Instances", instances(job)),
        ("Volume", "" if job.volume_gib is None else f"{job.volume_gib:,.0f} GiB per instance"),
        ("Training plan", job.training_plan),
        ("Serverless job", ", ".join(filter(None, serverless))),
        ("Progress", "" if progress == NO_PROGRESS else _progress(job)),
        ("Isolated network", _yes(job.network_isolation)),
        ("VPC", _yes(job.vpc)),
        ("Encrypted traffic", _yes(job.inter_container_encryption)),
        *((f"Hyperparameter {key}", value) for key, value in job.hyperparameters or ()),
    )


def _owned(job: TrainingJob) -> list[Fact]:
    tags = {**dict(job.cost_tags or ()), **dict(job.tags or ())}
    return _facts(
        *((f"Tag {key}", value) for key, value in sorted(tags.items())),
        ("Tuning job", job.tuning_job),
        ("AutoML job", job.automl_job),
        ("Labeling job", job.labeling_job),
        ("Experiment", job.experiment),
        ("Trial", job.trial),
        ("Warm pool reused by", (job.warm_pool.reused_by or "") if job.warm_pool else ""),
    )


def _times(job: TrainingJob, now: float) -> list[Fact]:
    times = (
        ("Created", job.created),
        ("Training began", job.started),
        ("Ended", job.ended_at),
        ("Changed", job.modified),
    )
    return [Fact(term, f"{when.exact:{_EXACT}},", when) for term, time in times if (when := moment(time, now))]


def _limits(job: TrainingJob, now: float) -> list[Fact]:
    running = deadlines(job)
    found = []
    for limit, seconds in (
        ("max_runtime", job.max_runtime_seconds),
        ("max_wait", job.max_wait_seconds),
        ("max_pending", job.max_pending_seconds),
    ):
        if seconds is not None:
            ends = moment(running.get(limit), now)
            found.append(Fact(_LIMITS[limit], span(seconds) + (", ends" if ends else ""), ends))
    return [
        *found,
        *_facts(
            ("Retries", "" if job.retry_max_attempts is None else f"{job.retry_max_attempts:,.0f} at most"),
            ("Warm pool kept", "" if job.keep_alive_seconds is None else span(job.keep_alive_seconds)),
        ),
    ]


def _billing(job: TrainingJob) -> list[Fact]:
    pool = job.warm_pool
    saved = ""
    if job.spot and job.training_seconds and job.billable_seconds is not None:
        saved = f"{1 - job.billable_seconds / job.training_seconds:.0%}"
    return _facts(
        ("Trained", "" if job.training_seconds is None else span(job.training_seconds)),
        ("Billed per instance", "" if job.billable_seconds is None else span(job.billable_seconds)),
        ("Saved by spot", saved),
        ("Billed tokens", "" if job.billable_tokens is None else f"{job.billable_tokens:,.0f}"),
        ("Warm pool", (pool.status or "") if pool else ""),
        ("Warm pool billed", span(pool.retained_seconds) if pool and pool.retained_seconds is not None else ""),
    )


def _hosts(shown: ShownJob, kinds: Sequence[str]) -> list[Host]:
    ratios = shown.utilization.ratios if shown.utilization else {}
    by_kind = [dict(ratios[kind]) for kind in kinds]
    names = dict.fromkeys(name for found in by_kind for name in found)
    return [
        Host(name, [f"{found[name]:.0%}" if name in found else "" for found in by_kind])
        for name in sorted(names, key=lambda name: (len(name), name))
    ]


def _progress(job: TrainingJob) -> str:
    epoch, of_epochs, step, steps = job.progress
    parts = (("epoch", epoch, of_epochs), ("step", step, steps))
    return ", ".join(
        f"{what} {at:,.0f}" + ("" if of is None else f" of {of:,.0f}") for what, at, of in parts if at is not None
    )


def _facts(*pairs: tuple[str, str]) -> list[Fact]:
    """Return the facts that are known."""
    return [Fact(term, text) for term, text in pairs if text]


def _yes(flag: bool | None) -> str:
    return "" if flag is None else "yes" if flag else "no"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return f"{value:.6g}" if math.isfinite(value) else f"{'-' if value < 0 else ''}infinite"
