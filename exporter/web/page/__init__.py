"""Renders the status page: a pure function from a `Status` to HTML without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from exporter.web.page import money
from exporter.web.page.jobs import ShownJob, asked, jobs_shown
from exporter.web.page.style import CONTENT_SECURITY_POLICY, STYLE
from exporter.web.page.text import LONGEST, PHASE_KINDS, Whole, moment, printable, span

__all__ = ["CONTENT_SECURITY_POLICY", "ErrorRow", "ShownJob", "StateRow", "Status", "TargetRow", "asked", "render"]


@dataclass(frozen=True, slots=True)
class StateRow:
    """Where totals are kept: `where` is "file", never a path. `last_write` is in Unix seconds."""

    where: str
    last_write: float | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """The last error of an operation with one code, and how often it occurred. The message holds no secrets."""

    operation: str
    code: str
    message: str
    when: float
    count: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The health of a target. `up` is None until it was polled once; times are in Unix seconds."""

    account_id: str
    region: str
    up: bool | None = None
    last_attempt: float | None = None
    last_success: float | None = None
    poll_seconds: float | None = None
    jobs_active: int = 0
    jobs_tracked: int = 0
    first_sync: str | None = None
    """The progress of the first sync as text; None once it is complete."""
    next_discovery: float | None = None
    errors: tuple[ErrorRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """The data of the page. Times are in Unix seconds."""

    version: str
    started: float
    now: float
    ready: bool
    targets: tuple[TargetRow, ...]
    jobs: Sequence[ShownJob]
    strategy: str = "describe"
    shard: str = ""
    """Such as `1 of 3`; empty without sharding."""
    state: StateRow | None = None
    """None if totals are kept in memory only."""
    config_loaded: float | None = None
    config_ok: bool = True
    telemetry_path: str = "/metrics"
    root: str = ""
    """The prefix of links to the endpoints: "" for links relative to the page, or an absolute path."""


def render(status: Status, query: Mapping[str, str]) -> str:
    """Return the page as HTML. `query` has the filters of the form (q, status, account, region) and the page number."""
    paths = (("Metrics", status.telemetry_path.lstrip("/")), ("Health", "healthz"), ("Readiness", "readyz"))
    return _template().render(
        status=status,
        jobs=jobs_shown(status.jobs, status.now, query),
        endpoints=[(text, Whole(status.root + path)) for text, path in paths],
        when=partial(moment, now=status.now),
        span=span,
        cost_per_hour=money.total_per_hour((shown.job, shown.rates) for shown in status.jobs),
        phase_kinds=PHASE_KINDS,
        longest=LONGEST,
        style=STYLE,
    )


@cache
def _template() -> Template:
    """Return the template of the page, which is compiled once."""
    # `printable` runs before the autoescaping, on every value that a template prints.
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
