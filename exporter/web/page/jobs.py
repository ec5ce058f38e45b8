"""Builds the table of jobs of the status page."""

from __future__ import annotations

from typing import NamedTuple

from exporter.training.deadline import deadline
from exporter.training.holding import holding
from exporter.training.job import TrainingJob
from exporter.training.usage import WARM_POOL
from exporter.web.page import links, money
from exporter.web.page.phases import phases, waiting_since
from exporter.web.page.reasons import reasons, said, waits_for
from exporter.web.page.records import ShownJob, Status
from exporter.web.page.selection import REFRESH, Filter, Option, Query, filters, options, owner, select
from exporter.web.page.text import Moment, Phase, Whole, moment, phase_bar, span

_MARKS = {
    "InProgress": ("live", "▶"),
    "Completed": ("good", "✓"),
    "Failed": ("bad", "✗"),
    "Stopping": ("idle", "◼"),
    "Stopped": ("idle", "◼"),
    "Deleting": ("idle", "◼"),
}


class Mark(NamedTuple):
    """The status of a job, with the CSS class of its colour and a sign that does not depend on colour."""

    kind: str
    sign: str
    status: str


class Row(NamedTuple):
    """A row of the table of jobs."""

    job: TrainingJob
    page: Whole
    owner: str
    mark: Mark
    secondary: str
    """The secondary status unless it is the same as the status."""
    reason: str
    """Why the job waits, failed or was stopped; "" if it did neither or nothing is known."""
    pool: str
    """What the job says of the warm pool that it holds; "" if it holds none."""
    unsettled: bool
    over: bool
    ended: Moment | None
    deadline: Moment | None
    passed: bool
    """Whether the deadline has passed."""
    instances: str
    cost: str
    cost_per_hour: str
    phases: list[Phase]
    spans: Whole
    """The phases as text."""


class JobsShown(NamedTuple):
    """The data of the template: the form and the filters in use, one page of the matching jobs, and links."""

    query: Query
    options: dict[str, list[Option]]
    filters: list[Filter]
    position: str
    page: int
    pages: int
    previous: Whole | None
    next: Whole | None
    refresh: Whole
    """The link that starts or ends the refreshing of the page."""
    rows: list[Row]


def jobs_shown(status: Status, query: Query) -> JobsShown:
    """Return a page of the jobs that match a query."""
    found = select(status, query)
    position = f"{len(found.jobs):,} of {found.matching:,} jobs shown"
    if found.matching != len(status.jobs):
        position += f", {len(status.jobs):,} tracked"
    return JobsShown(
        query,
        options(status.jobs, query, status.owner_tag),
        filters(query, status.owner_tag),
        position,
        found.page,
        found.pages,
        query.link(page=str(found.page - 1)) if found.page > 1 else None,
        query.link(page=str(found.page + 1)) if found.page < found.pages else None,
        query.link(page=query.page, refresh="" if query.refresh else REFRESH),
        [_row(one, status) for one in found.jobs],
    )


def mark(job: TrainingJob) -> Mark:
    """Return the status of a job with its sign."""
    return Mark(*_MARKS.get(job.status or "", ("idle", "?")), job.status or "unknown")


def held_pool(shown: ShownJob, now: float) -> str:
    """Return what a job says of the warm pool that it holds, such as `holds a warm pool, $2.82 per hour`; "" if it
    holds none."""
    job = shown.job
    if holding(job).usage != WARM_POOL:
        return ""
    rate = money.text(money.cost_per_hour(shown))
    ends = None if job.ended_at is None or job.keep_alive_seconds is None else job.ended_at + job.keep_alive_seconds
    until = moment(ends, now) if ends is not None and ends > now else None
    costs = f"{rate} per hour" if rate else "no price"
    return f"holds a warm pool, {costs}" + (f", ends {until.text} at the latest" if until else "")


def secondary(job: TrainingJob) -> str:
    """Return the secondary status of a job, "" if it says no more than the status."""
    return job.secondary_status if job.secondary_status and job.secondary_status != job.status else ""


def why(job: TrainingJob, now: float) -> str:
    """Return why a job waits and for how long, or why it failed or was stopped; "" if nothing is known."""
    # The category of a failure, never its FailureReason, which may hold secrets.
    reason = next((reason for reason in reasons(job) if ":" in reason), "")
    since = waiting_since(job)
    if since is None:
        return said(reason) if reason else ""
    return ": ".join(filter(None, [f"waiting for {span(now - since)}", waits_for(job)]))


def instances(job: TrainingJob) -> str:
    """Return the instances of a job as text, such as `2 ml.p4d.24xlarge, spot`; "" if they are unknown."""
    if money.is_serverless(job):
        return "serverless"
    capacity = [] if job.spot is None or not job.instances else ["spot" if job.spot else "on demand"]
    return ", ".join([*(f"{each.number} {each.type}" for each in job.instances), *capacity])


def _row(shown: ShownJob, status: Status) -> Row:
    job, now = shown.job, status.now
    bar, per_hour, ends = phase_bar(phases(job, now)), money.cost_per_hour(shown), deadline(job)
    return Row(
        job,
        links.of_job(status.root, job),
        owner(job, status.owner_tag),
        mark(job),
        secondary=secondary(job),
        reason=why(job, now),
        pool=held_pool(shown, now),
        unsettled=job.terminal and not shown.settled,
        over=job.terminal or job.ended_at is not None,
        ended=moment(job.ended_at, now),
        deadline=moment(ends, now),
        passed=ends is not None and ends < now,
        instances=instances(job),
        cost=money.cost(shown, now),
        cost_per_hour=f"{money.text(per_hour)} per hour" if per_hour and not job.terminal else "",
        phases=bar,
        spans=Whole(" · ".join(phase.label for phase in bar)),
    )
