"""The jobs of the status page: filtered by a plain form, page by page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

from exporter.web.page.text import PHASE_KINDS, escaped, moment, name, phase_bar, row, table

ROWS = 200
FIELDS = ("q", "status", "account", "region", "page")
_LONGEST = 200
_MARKS = {
    "InProgress": ("live", "▶"),
    "Completed": ("good", "✓"),
    "Failed": ("bad", "✗"),
    "Stopping": ("idle", "◼"),
    "Stopped": ("idle", "◼"),
    "Deleting": ("idle", "◼"),
}
_TERMINAL = frozenset({"Completed", "Failed", "Stopped"})


class Job(Protocol):
    """A tracked job: what jobs are chosen and sorted by, and the rest for the few that are shown."""

    @property
    def account_id(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def created(self) -> float | None: ...

    def row(self) -> JobRow:
        """Everything that is shown of it."""
        ...


@dataclass(frozen=True, slots=True)
class JobRow:
    """Everything that is shown of a job. Times are Unix seconds; `phases` are (secondary status, seconds) in order."""

    account_id: str
    region: str
    name: str
    status: str
    secondary_status: str = ""
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    last_modified: float | None = None
    instances: str = ""
    """For people, as in `2 ml.p4d.24xlarge`."""
    spot: bool | None = None
    phases: tuple[tuple[str, float], ...] = ()
    settled: bool = False
    deadline: float | None = None
    """When MaxRuntimeInSeconds or MaxWaitTimeInSeconds ends it."""
    failure: str = ""
    """The category of its failure, never the reason, which may hold secrets."""

    def row(self) -> JobRow:
        return self


@dataclass(frozen=True, slots=True)
class _Filter:
    q: str = ""
    status: str = ""
    account: str = ""
    region: str = ""

    def fits(self, job: Job) -> bool:
        return (
            self.q.lower() in job.name.lower()
            and self.status in ("", job.status)
            and self.account in ("", job.account_id)
            and self.region in ("", job.region)
        )

    def link(self, page: int) -> str:
        """The query of another page of the same choice."""
        fields = {"q": self.q, "status": self.status, "account": self.account, "region": self.region}
        chosen = {key: value for key, value in fields.items() if value}
        return html.escape("?" + urlencode({**chosen, "page": str(page)}, errors="replace")) + "#jobs"


def asked(query: Mapping[str, str]) -> dict[str, str]:
    """What a query asks for: the fields of the form, cut at a length; everything else makes no other page."""
    return {field: value[:_LONGEST] for field in FIELDS if (value := query.get(field, ""))}


def jobs_section(jobs: Sequence[Job], now: float, query: Mapping[str, str]) -> str:
    """The form, the jobs it chooses (active ones first, then the newest), and links to the other pages."""
    chosen = _Filter(*(query.get(key, "")[:_LONGEST] for key in ("q", "status", "account", "region")))
    found = sorted(
        (job for job in jobs if chosen.fits(job)),
        key=lambda job: (job.status in _TERMINAL, -(job.created or 0.0), job.name),
    )
    page, pages = _page(query.get("page", "")), max(1, -(-len(found) // ROWS))
    page = min(page, pages)
    first = (page - 1) * ROWS
    shown = found[first : first + ROWS]
    position = f"{len(shown):,} of {len(found):,} jobs shown"
    if len(found) != len(jobs):
        position += f", {len(jobs):,} tracked"
    return (
        f'<h2 id="jobs">Jobs</h2>{_form(jobs, chosen)}{_links(chosen, page, pages, position)}'
        f"{_table(shown, now)}{_links(chosen, page, pages, position) if pages > 1 else ''}"
    )


def _page(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _form(jobs: Sequence[Job], chosen: _Filter) -> str:
    return (
        '<form method="get" action="#jobs" role="search" aria-label="Filter jobs">'
        f'<label>Name contains<input type="search" name="q" value="{escaped(chosen.q)}" '
        f'maxlength="{_LONGEST}"></label>'
        f"{_select('Status', 'status', chosen.status, (job.status for job in jobs))}"
        f"{_select('Account', 'account', chosen.account, (job.account_id for job in jobs))}"
        f"{_select('Region', 'region', chosen.region, (job.region for job in jobs))}"
        '<button type="submit">Filter</button><a href="?#jobs">Clear</a></form>'
    )


def _select(label: str, field: str, chosen: str, values: Iterable[str]) -> str:
    # A choice that no job has any more stays visible, or the form would not say why nothing is shown.
    options = "".join(
        f'<option value="{escaped(value)}"{" selected" if value == chosen else ""}>{escaped(value)}</option>'
        for value in sorted({*values, chosen} - {""})
    )
    return f'<label>{label}<select name="{field}"><option value="">all</option>{options}</select></label>'


def _links(chosen: _Filter, page: int, pages: int, position: str) -> str:
    links = [f"<span>{position}</span>"]
    if pages > 1:
        links.append(f"<span>page {page:,} of {pages:,}</span>")
    if page > 1:
        links.append(f'<a href="{chosen.link(page - 1)}">← previous</a>')
    if page < pages:
        links.append(f'<a href="{chosen.link(page + 1)}">next →</a>')
    return f'<nav class="pages" aria-label="Pages of jobs">{"".join(links)}</nav>'


def _table(jobs: Sequence[Job], now: float) -> str:
    if not jobs:
        return "<p>No job fits.</p>"
    key = "".join(
        f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{kind}" width="1" height="1"/></svg>{words}</li>'
        for kind, words in PHASE_KINDS.items()
    )
    heads = ("Job", "Status", "Created", "End", "Instances", "Phases")
    return f'<ul class="key" aria-label="Colours of the phases">{key}</ul>' + table(
        "jobs", "Active jobs first, then the newest.", heads, (_row(job.row(), now) for job in jobs)
    )


def _row(job: JobRow, now: float) -> str:
    spot = {True: ", spot", False: ", on demand", None: ""}[job.spot]
    place = f"{escaped(job.region)} · <code>{escaped(job.account_id)}</code>"
    link = f'<a href="{_console(job)}" rel="noreferrer">{name(job.name)}</a>'
    return row(
        f'{link}<br><span class="quiet">{place}</span>',
        (
            ("Status", _status(job, now)),
            ("Created", _created(job, now)),
            ("End", _end(job, now)),
            ("Instances", (escaped(job.instances) or "unknown") + spot),
            ("Phases", phase_bar(job.phases) or "none yet"),
        ),
    )


def _status(job: JobRow, now: float) -> str:
    css, mark = _MARKS.get(job.status, ("idle", "?"))
    text = f'<span class="{css}">{mark}&nbsp;{escaped(job.status)}</span>'
    details = (detail for detail in (job.failure, job.secondary_status) if detail not in ("", job.status))
    text += "".join(f"<br>{escaped(detail)}" for detail in details)
    if job.status in _TERMINAL and not job.settled:
        text += '<br><span class="quiet">not settled yet</span>'
    elif job.last_modified is not None:
        text += f'<br><span class="quiet">changed {moment(job.last_modified, now)}</span>'
    return text


def _created(job: JobRow, now: float) -> str:
    text = moment(job.created, now)
    if job.started is not None:
        text += f'<br><span class="quiet">training began {moment(job.started, now)}</span>'
    return text


def _end(job: JobRow, now: float) -> str:
    if job.ended is not None or job.status in _TERMINAL:
        return moment(job.ended, now)
    if job.deadline is None:
        return "no deadline known"
    return ("deadline passed " if job.deadline < now else "deadline ") + moment(job.deadline, now)


def _console(job: JobRow) -> str:
    domain = "console.aws.amazon.com"
    if job.region.startswith("cn-"):
        domain = "console.amazonaws.cn"
    elif job.region.startswith("us-gov-"):
        domain = "console.amazonaws-us-gov.com"
    region, job_name = (quote(text, safe="", errors="replace") for text in (job.region, job.name[:_LONGEST]))
    return f"https://{domain}/sagemaker/home?region={region}#/jobs/{job_name}"
