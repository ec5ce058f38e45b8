"""Renders the status page: a pure function from a `Status` to HTML without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from exporter.web.page import money
from exporter.web.page.jobs import asked, jobs_shown
from exporter.web.page.records import ErrorRow, ShownJob, Spent, StateRow, Status, TargetRow
from exporter.web.page.style import CONTENT_SECURITY_POLICY, STYLE
from exporter.web.page.text import LONGEST, PHASE_KINDS, Whole, moment, printable, span

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "ErrorRow",
    "ShownJob",
    "Spent",
    "StateRow",
    "Status",
    "TargetRow",
    "asked",
    "render",
]


def render(status: Status, query: Mapping[str, str]) -> str:
    """Return the page as HTML. `query` has the filters of the form (q, status, account, region) and the page number."""
    paths = (("Metrics", status.telemetry_path.lstrip("/")), ("Health", "healthz"), ("Readiness", "readyz"))
    return _template().render(
        status=status,
        jobs=jobs_shown(status.jobs, status.now, query),
        endpoints=[(text, Whole(status.root + path)) for text, path in paths],
        when=partial(moment, now=status.now),
        span=span,
        cost_per_hour=money.held_per_hour(target.counts for target in status.targets),
        of_target=money.of_target,
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
