"""Selects the jobs that the status page shows: filtered by an HTML form, 200 per page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlencode

from exporter.training.deadline import deadline
from exporter.training.job import TrainingJob
from exporter.web.page import money
from exporter.web.page.phases import phases
from exporter.web.page.records import ShownJob
from exporter.web.page.text import LONGEST, Phase, Whole, phase_bar

ROWS = 200
FIELDS = ("q", "status", "account", "region", "page")
_MARKS = {
    "InProgress": ("live", "▶"),
    "Completed": ("good", "✓"),
    "Failed": ("bad", "✗"),
    "Stopping": ("idle", "◼"),
    "Stopped": ("idle", "◼"),
    "Deleting": ("idle", "◼"),
}


class Choice(NamedTuple):
    """The values of a select field of the form, and the selected one ("" for all)."""

    values: list[str]
    chosen: str


class Row(NamedTuple):
    """A row of the table of jobs."""

    job: TrainingJob
    console: Whole
    kind: str
    """The CSS class of the colour of its status."""
    mark: str
    details: list[str]
    unsettled: bool
    over: bool
    ended: float | None
    deadline: float | None
    instances: str
    cost: str
    cost_per_hour: str
    phases: list[Phase]
    spans: Whole
    """The phases as text."""


class JobsShown(NamedTuple):
    """The data of the template: the values of the form, one page of the matching jobs, and links to the next pages."""

    q: str
    status: Choice
    account: Choice
    region: Choice
    position: str
    page: int
    pages: int
    previous: Whole | None
    next: Whole | None
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class _Filter:
    q: str = ""
    status: str = ""
    account: str = ""
    region: str = ""

    def fits(self, job: TrainingJob) -> bool:
        """Return whether a job matches the filter. An empty field matches every job."""
        return (
            self.q.lower() in job.name.lower()
            and self.status in ("", job.status)
            and self.account in ("", job.account)
            and self.region in ("", job.region)
        )

    def link(self, page: int) -> Whole:
        """Return a link to another page with the same filter."""
        fields = {"q": self.q, "status": self.status, "account": self.account, "region": self.region}
        chosen = {key: value for key, value in fields.items() if value}
        # A query may hold lone surrogates, which UTF-8 cannot encode.
        return Whole("?" + urlencode({**chosen, "page": str(page)}, errors="replace") + "#jobs")


def asked(query: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of the form in a query, truncated. Anything else is dropped, since pages are cached by this."""
    return {field: value[:LONGEST] for field in FIELDS if (value := query.get(field, ""))}


def jobs_shown(jobs: Sequence[ShownJob], now: float, query: Mapping[str, str]) -> JobsShown:
    """Return a page of the jobs that match the form, active ones first, then the newest.

    `query` has the fields of the form and the page number, none of them validated. `now` is in Unix seconds.
    """
    chosen = _Filter(*(query.get(key, "")[:LONGEST] for key in ("q", "status", "account", "region")))
    found = sorted(
        (one for one in jobs if chosen.fits(one.job)),
        key=lambda one: (one.job.terminal, -(one.job.created or 0.0), one.job.name),
    )
    # Rounded up: -(-a // b).
    page, pages = _page(query.get("page", "")), max(1, -(-len(found) // ROWS))
    page = min(page, pages)
    first = (page - 1) * ROWS
    shown = found[first : first + ROWS]
    position = f"{len(shown):,} of {len(found):,} jobs shown"
    if len(found) != len(jobs):
        position += f", {len(jobs):,} tracked"
    return JobsShown(
        chosen.q,
        _choice((one.job.status or "" for one in jobs), chosen.status),
        _choice((one.job.account for one in jobs), chosen.account),
        _choice((one.job.region for one in jobs), chosen.region),
        position,
        page,
        pages,
        chosen.link(page - 1) if page > 1 else None,
        chosen.link(page + 1) if page < pages else None,
        [_row(one, now) for one in shown],
    )


def _page(text: str) -> int:
    """Return a page number from a query; 1 for anything else."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _choice(values: Iterable[str], chosen: str) -> Choice:
    # Keep a selected value that no job has any more: otherwise the form would not show why the list is empty.
    return Choice(sorted({*values, chosen} - {""}), chosen)


def _row(tracked: ShownJob, now: float) -> Row:
    job, bar = tracked.job, phase_bar(phases(tracked.job, now))
    kind, mark = _MARKS.get(job.status or "", ("idle", "?"))
    return Row(
        job,
        _console(job),
        kind,
        mark,
        details=_details(job),
        unsettled=job.terminal and not tracked.settled,
        over=job.terminal or job.ended_at is not None,
        ended=job.ended_at,
        deadline=deadline(job),
        instances=", ".join(f"{each.number} {each.type}" for each in job.instances),
        cost=money.cost(job, tracked.rates) or money.why_no_cost(job, tracked.settled),
        cost_per_hour=money.cost_per_hour(job, tracked.rates),
        phases=bar,
        spans=Whole(" · ".join(phase.label for phase in bar)),
    )


def _details(job: TrainingJob) -> list[str]:
    """Return what the status column says beside the status."""
    # The category of a failure, never its FailureReason, which may hold secrets.
    details = [detail for detail in (job.failure_category, job.secondary_status) if detail and detail != job.status]
    return [*details, f"waiting: {job.waiting.replace('_', ' ')}"] if job.waiting else details


def _console(job: TrainingJob) -> Whole:
    """Return the URL of a job in the AWS console of its partition."""
    domain = "console.aws.amazon.com"
    if job.region.startswith("cn-"):
        domain = "console.amazonaws.cn"
    elif job.region.startswith("us-gov-"):
        domain = "console.amazonaws-us-gov.com"
    region, job_name = (quote(text, safe="", errors="replace") for text in (job.region, job.name[:LONGEST]))
    return Whole(f"https://{domain}/sagemaker/home?region={region}#/jobs/{job_name}")
