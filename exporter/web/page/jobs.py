"""The jobs of the status page: filtered by a plain form, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

from exporter.training.job import TERMINAL
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


class Choice(NamedTuple):
    """A field of the form whose values are known, and the one that was chosen."""

    values: list[str]
    chosen: str


class Row(NamedTuple):
    """A job as the table shows it."""

    job: JobRow
    console: Whole
    kind: str
    """The class of the colour of its status."""
    mark: str
    details: list[str]
    over: bool
    unsettled: bool
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

    def fits(self, job: Job) -> bool:
        return (
            self.q.lower() in job.name.lower()
            and self.status in ("", job.status)
            and self.account in ("", job.account_id)
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


def jobs_shown(jobs: Sequence[Job], query: Mapping[str, str]) -> JobsShown:
    """Return a page of the jobs that the form chooses, active ones first, then the newest."""
    chosen = _Filter(*(query.get(key, "")[:LONGEST] for key in ("q", "status", "account", "region")))
    found = sorted(
        (job for job in jobs if chosen.fits(job)),
        key=lambda job: (job.status in TERMINAL, -(job.created or 0.0), job.name),
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
        _choice((job.status for job in jobs), chosen.status),
        _choice((job.account_id for job in jobs), chosen.account),
        _choice((job.region for job in jobs), chosen.region),
        position,
        page,
        pages,
        chosen.link(page - 1) if page > 1 else None,
        chosen.link(page + 1) if page < pages else None,
        [_row(job.row()) for job in shown],
    )


def _page(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _choice(values: Iterable[str], chosen: str) -> Choice:
    # A choice that no job has any more stays visible, or the form would not say why nothing is shown.
    return Choice(sorted({*values, chosen} - {""}), chosen)


def _row(job: JobRow) -> Row:
    kind, mark = _MARKS.get(job.status, ("idle", "?"))
    over, phases = job.status in TERMINAL, phase_bar(job.phases)
    return Row(
        job,
        _console(job),
        kind,
        mark,
        details=[detail for detail in (job.failure, job.secondary_status) if detail not in ("", job.status)],
        over=over or job.ended is not None,
        unsettled=over and not job.settled,
        phases=phases,
        spans=Whole(" · ".join(phase.label for phase in phases)),
    )


def _console(job: JobRow) -> Whole:
    domain = "console.aws.amazon.com"
    if job.region.startswith("cn-"):
        domain = "console.amazonaws.cn"
    elif job.region.startswith("us-gov-"):
        domain = "console.amazonaws-us-gov.com"
    region, job_name = (quote(text, safe="", errors="replace") for text in (job.region, job.name[:LONGEST]))
    return Whole(f"https://{domain}/sagemaker/home?region={region}#/jobs/{job_name}")
