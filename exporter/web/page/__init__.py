"""The status page for people: a pure function from what the exporter knows to HTML without scripts."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.web.page.jobs import Job, JobRow, asked, jobs_section
from exporter.web.page.style import CONTENT_SECURITY_POLICY, STYLE
from exporter.web.page.text import escaped, moment, name, row, span, table

__all__ = ["CONTENT_SECURITY_POLICY", "ErrorRow", "Job", "JobRow", "StateRow", "Status", "TargetRow", "asked", "render"]


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
    first_sync: float | str | None = None
    """How far the first walk through the history is: a ratio or words; None once it is done."""
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
    jobs: Sequence[Job]
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
    """The whole page; `query` holds the filters of the form (q, status, account, region) and the page."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>sagemaker-exporter</title><style>{STYLE}</style></head><body>"
        f"{_header(status)}<main>{_targets(status)}{jobs_section(status.jobs, status.now, query)}</main>"
        f"{_footer(status)}</body></html>\n"
    )


def _header(status: Status) -> str:
    paths = [("Metrics", status.telemetry_path.lstrip("/")), ("Health", "healthz"), ("Readiness", "readyz")]
    nav = "".join(f'<a href="{html.escape(status.root + path)}">{text}</a>' for text, path in paths)
    facts = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in _facts(status))
    return (
        f'<header><h1>sagemaker-exporter</h1><p class="quiet">Amazon SageMaker training jobs for Prometheus'
        f" · version {escaped(status.version)}</p>"
        f'<nav aria-label="Endpoints">{nav}</nav><dl>{facts}</dl></header>'
    )


def _facts(status: Status) -> list[tuple[str, str]]:
    ready = '<span class="good">✓ ready</span>' if status.ready else '<span class="warn">… not ready yet</span>'
    config = moment(status.config_loaded, status.now, "defaults")
    if not status.config_ok:
        config = '<span class="bad">✗ last reload refused</span>, ' + config
    facts = [
        ("Readiness", ready),
        ("Started", moment(status.started, status.now)),
        ("Configuration loaded", config),
        ("Strategy", escaped(status.strategy)),
        ("Totals kept", _state(status.state or StateRow("in memory, until it ends"), status.now)),
        ("Targets", f"{len(status.targets):,}"),
        ("Jobs tracked", f"{len(status.jobs):,}"),
    ]
    return [*facts, ("Shard", escaped(status.shard))] if status.shard else facts


def _state(state: StateRow, now: float) -> str:
    text = escaped(state.where)
    if state.last_write is not None:
        text += f", written {moment(state.last_write, now)}"
    if state.errors:
        text += f', <span class="bad">✗ {_counted(state.errors, "write error")}</span>'
    return text


def _targets(status: Status) -> str:
    if not status.targets:
        return "<h2>Targets</h2><p>No targets: this shard has none, or the configuration names none.</p>"
    heads = ("Target", "State", "Last success", "Last poll", "Jobs", "First sync", "Errors")
    caption = "Each account and region that is polled, and how fresh it is."
    rows = (_target(target, status.now) for target in status.targets)
    return '<h2 id="targets">Targets</h2>' + table("targets", caption, heads, rows)


def _target(target: TargetRow, now: float) -> str:
    account = escaped(target.account_id or "account not known yet")
    return row(
        f"{name(target.region or 'region not known yet')}<br><code>{account}</code>",
        (
            ("State", _up(target.up)),
            ("Last success", moment(target.last_success, now, "never")),
            ("Last poll", _last_poll(target, now)),
            ("Jobs", f"{target.jobs_active:,} active of {target.jobs_tracked:,} tracked"),
            ("First sync", _first_sync(target)),
            ("Errors", _errors(target.errors, now)),
        ),
    )


def _up(up: bool | None) -> str:
    if up is None:
        return '<span class="idle">… not tried yet</span>'
    return '<span class="good">✓ up</span>' if up else '<span class="bad">✗ down</span>'


def _last_poll(target: TargetRow, now: float) -> str:
    text = moment(target.last_attempt, now, "never")
    if target.poll_seconds is not None:
        text += f", took {target.poll_seconds:.1f} s"
    if target.next_discovery is not None:
        text += "; next " + (moment(target.next_discovery, now) if target.next_discovery > now else "one due")
    return text


def _first_sync(target: TargetRow) -> str:
    progress = target.first_sync
    if progress is None:
        return "not begun" if target.up is None else "done"
    if isinstance(progress, str):
        return escaped(progress)
    percent = 0 if math.isnan(progress) else round(100 * min(max(progress, 0.0), 1.0))
    return f'<progress max="100" value="{percent}" aria-label="First sync"></progress> {percent} %'


def _errors(errors: tuple[ErrorRow, ...], now: float) -> str:
    items = "".join(
        f'<li><span class="bad">✗&nbsp;{escaped(e.code)}</span> in <code>{escaped(e.operation)}</code>, '
        f"{_counted(e.count, 'time')}, last {moment(e.when, now)}: {escaped(e.message)}</li>"
        for e in errors
    )
    return f"<ul>{items}</ul>" if items else "none"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _footer(status: Status) -> str:
    return (
        f'<footer class="quiet">Up for {span(status.now - status.started)}; the page shows what was known '
        "when it was asked for. Reload it for what is new.</footer>"
    )
