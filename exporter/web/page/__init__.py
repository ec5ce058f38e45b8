"""Renders the pages for people: pure functions from records to HTML without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.web.page import money
from exporter.web.page.job import job_shown
from exporter.web.page.jobs import jobs_shown
from exporter.web.page.records import DAY, ErrorRow, JobStatus, ShownJob, Spent, StateRow, Status, TargetRow
from exporter.web.page.selection import REFRESH, JobQuery, Query
from exporter.web.page.strip import readiness, tiles
from exporter.web.page.style import CONTENT_SECURITY_POLICY, STYLE
from exporter.web.page.text import LONGEST, PHASE_KINDS, Whole, counted, moment, printable, span

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "DAY",
    "STYLE",
    "ErrorRow",
    "JobQuery",
    "JobStatus",
    "Query",
    "ShownJob",
    "Spent",
    "StateRow",
    "Status",
    "TargetRow",
    "render",
    "render_job",
]


def render(status: Status, query: Mapping[str, str] | Query) -> str:
    """Return the status page as HTML. `query` has the fields of `Query`, none of them validated."""
    asked = query if isinstance(query, Query) else Query.of(query)
    paths = (("Metrics", status.telemetry_path.lstrip("/")), ("Health", "healthz"), ("Readiness", "readyz"))
    return _render(
        "page.html",
        status=status,
        refresh=asked.refresh,
        ready=readiness(status),
        tiles=tiles(status),
        jobs=jobs_shown(status, asked),
        endpoints=[(text, Whole(status.root + path)) for text, path in paths],
        when=partial(moment, now=status.now),
        span=span,
        of_target=money.of_target,
        phase_kinds=PHASE_KINDS,
        longest=LONGEST,
    )


def render_job(status: JobStatus, query: JobQuery | None = None) -> str:
    """Return the page of a job as HTML; if it is not tracked, the page says so."""
    asked = query or JobQuery(status.account, status.region, status.name)
    return _render(
        "job.html",
        status=status,
        refresh=asked.refresh,
        other=Whole(status.root + asked.link("" if asked.refresh else REFRESH)),
        shown=job_shown(status),
        home=Whole(status.root or "./"),
    )


def _render(template: str, **values: Any) -> str:
    html: str = _environment().get_template(template).render(style=STYLE, **values)
    return html


@cache
def _environment() -> Environment:
    """Return the environment of the templates, each of which is compiled once."""
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
    environment.globals["counted"] = counted
    return environment
