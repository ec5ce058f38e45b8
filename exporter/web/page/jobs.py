"""The jobs of the status page: filtered by a plain form, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlencode

from exporter.training.deadline import deadline
from exporter.training.job import TrainingJob
from exporter.web.page.phases import phases
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


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job that is tracked; it is settled once AWS has said everything of it."""

    job: TrainingJob
    settled: bool = False


class Choice(NamedTuple):
    """A field of the form whose values are known, and the one that was chosen."""

    values: list[str]
    chosen: str


class Row(NamedTuple):
    """A job as the table shows it."""

    job: TrainingJob
    console: Whole
    kind: str
    """The class of the colour of its status."""
    mark: str
    details: list[str]
    unsettled: bool
    over: bool
    ended: float | None
    deadline: float | None
    instances: str
    phases: list[Phase]
    spans: Whole
    """The same in words."""


class JobsShown(NamedTuple):
    """What the template shows: the form as it was filled in, one page of the jobs that it chooses, and its
    neighbours."""

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
        return (
            self.q.lower() in job.name.lower()
            and self.status in ("", job.status)
            and self.account in ("", job.account)
            and self.region in ("", job.region)
        )

    def link(self, page: int) -> Whole:
        """The query of another page of the same choice."""
        fields = {"q": self.q, "status": self.status, "account": self.account, "region": self.region}
        chosen = {key: value for key, value in fields.items() if value}
        return Whole("?" + urlencode({**chosen, "page": str(page)}, errors="replace") + "#jobs")


def asked(query: Mapping[str, str]) -> dict[str, str]:
    """What a query asks for: the fields of the form, cut at a length; everything else makes no other page."""
    return {field: value[:LONGEST] for field in FIELDS if (value := query.get(field, ""))}


def jobs_shown(jobs: Sequence[ShownJob], now: float, query: Mapping[str, str]) -> JobsShown:
    """Return a page of the jobs that the form chooses, active ones first, then the newest."""
    chosen = _Filter(*(query.get(key, "")[:LONGEST] for key in ("q", "status", "account", "region")))
    found = sorted(
        (one for one in jobs if chosen.fits(one.job)),
        key=lambda one: (one.job.terminal, -(one.job.created or 0.0), one.job.name),
    )
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
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _choice(values: Iterable[str], chosen: str) -> Choice:
    # A choice that no job has any more stays visible, or the form would not say why nothing is shown.
    return Choice(sorted({*values, chosen} - {""}), chosen)


def _row(tracked: ShownJob, now: float) -> Row:
    job, bar = tracked.job, phase_bar(phases(tracked.job, now))
    kind, mark = _MARKS.get(job.status or "", ("idle", "?"))
    return Row(
        job,
        _console(job),
        kind,
        mark,
        # The category of a failure, never its reason, which may hold secrets.
        details=[detail for detail in (job.failure_category, job.secondary_status) if detail and detail != job.status],
        unsettled=job.terminal and not tracked.settled,
        over=job.terminal or job.ended_at is not None,
        ended=job.ended_at,
        deadline=deadline(job),
        instances=", ".join(f"{each.number} {each.type}" for each in job.instances),
        phases=bar,
        spans=Whole(" · ".join(phase.label for phase in bar)),
    )


def _console(job: TrainingJob) -> Whole:
    domain = "console.aws.amazon.com"
    if job.region.startswith("cn-"):
        domain = "console.amazonaws.cn"
    elif job.region.startswith("us-gov-"):
        domain = "console.amazonaws-us-gov.com"
    region, job_name = (quote(text, safe="", errors="replace") for text in (job.region, job.name[:LONGEST]))
    return Whole(f"https://{domain}/sagemaker/home?region={region}#/jobs/{job_name}")
