"""The status page for people: a pure function from what the exporter knows to HTML without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from exporter.web.page.jobs import ShownJob, asked, jobs_shown
from exporter.web.page.style import CONTENT_SECURITY_POLICY, STYLE
from exporter.web.page.text import LONGEST, PHASE_KINDS, Whole, moment, printable, span

__all__ = ["CONTENT_SECURITY_POLICY", "ErrorRow", "ShownJob", "StateRow", "Status", "TargetRow", "asked", "render"]


@dataclass(frozen=True, slots=True)
class StateRow:
    """Where the totals are kept: "file", never its path; when they were last written there."""

    where: str
    last_write: float | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """The last error of one operation and code. The message is for people and holds nothing secret."""

    operation: str
    code: str
    message: str
    when: float
    count: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One account and region. `up` is None until it was tried once; times are Unix seconds."""

    account_id: str
    region: str
    up: bool | None = None
    last_attempt: float | None = None
    last_success: float | None = None
    poll_seconds: float | None = None
    jobs_active: int = 0
    jobs_tracked: int = 0
    first_sync: str | None = None
    """How far the first walk through the history is, in words; None once it is done."""
    next_discovery: float | None = None
    errors: tuple[ErrorRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the page shows; times are Unix seconds."""

    version: str
    started: float
    now: float
    ready: bool
    targets: tuple[TargetRow, ...]
    jobs: Sequence[ShownJob]
    strategy: str = "describe"
    shard: str = ""
    """As in `1 of 3`; empty without sharding."""
    state: StateRow | None = None
    """None while the totals are only in memory."""
    config_loaded: float | None = None
    config_ok: bool = True
    telemetry_path: str = "/metrics"
    root: str = ""
    """What links to the endpoints begin with: the page's own directory, or an absolute path."""


def render(status: Status, query: Mapping[str, str]) -> str:
    """Return the whole page; `query` holds the filters of the form (q, status, account, region) and the page."""
    paths = (("Metrics", status.telemetry_path.lstrip("/")), ("Health", "healthz"), ("Readiness", "readyz"))
    return _template().render(
        status=status,
        jobs=jobs_shown(status.jobs, status.now, query),
        endpoints=[(text, Whole(status.root + path)) for text, path in paths],
        when=partial(moment, now=status.now),
        span=span,
        phase_kinds=PHASE_KINDS,
        longest=LONGEST,
        style=STYLE,
    )


@cache
def _template() -> Template:
    """Return the page's template, with those that it includes, compiled at the first page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        auto_reload=False,
        finalize=printable,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html")
