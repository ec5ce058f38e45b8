"""Small pieces of the status page: escaped text, ages and spans for people, and the bar of a job's phases."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_LONGEST = 200
# Control characters and lone surrogates: not allowed in HTML, or not in UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_BAR = 1000.0
_NBSP = "\N{NO-BREAK SPACE}"

PHASE_KINDS = {
    "wait": "waiting for capacity",
    "prepare": "preparing",
    "train": "training",
    "upload": "uploading",
    "interrupt": "interrupted or stopping",
    "other": "other",
}
_KIND = {
    "Pending": "wait",
    "Starting": "wait",
    "LaunchingMLInstances": "wait",
    "Restarting": "wait",
    "PreparingTrainingStack": "prepare",
    "Downloading": "prepare",
    "DownloadingTrainingImage": "prepare",
    "Updating": "prepare",
    "Training": "train",
    "Uploading": "upload",
    "Interrupted": "interrupt",
    "Stopping": "interrupt",
}


def escaped(text: str) -> str:
    """Text for an element or a quoted attribute, cut at a length that no real name reaches."""
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: _LONGEST + 1])
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return html.escape(text)


def name(text: str) -> str:
    """A name somebody chose, in an element of its own: its writing direction stays within."""
    return f"<bdi>{escaped(text)}</bdi>"


def span(seconds: float) -> str:
    """A length of time by its two largest units, as in `3 h 12 min`."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{_NBSP}{unit}" if count else "")
    # A line may break between the units, never within one.
    return " ".join(part for part in parts[:2] if part) or f"0{_NBSP}s"


def moment(timestamp: float | None, now: float, missing: str = "unknown") -> str:
    """How long ago or ahead, exact time in UTC as the title; `missing` if it is not known."""
    exact = None if timestamp is None else _utc(timestamp)
    if timestamp is None or exact is None:
        return missing
    away = now - timestamp
    text = f"{span(away)} ago" if away >= 0 else f"in {span(-away)}"
    return f'<time datetime="{exact:%Y-%m-%dT%H:%M:%SZ}" title="{exact:%Y-%m-%d %H:%M:%S} UTC">{text}</time>'


def _utc(timestamp: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def table(label_id: str, caption: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    """A table that stays one for screen readers when a phone shows its rows as cards."""
    head = "".join(f'<th scope="col" role="columnheader">{text}</th>' for text in heads)
    return (
        f'<table role="table" aria-labelledby="{label_id}"><caption>{caption}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>'
    )


def row(head: str, cells: Iterable[tuple[str, str]]) -> str:
    """A row: its header, and (label, content) of each cell, all of it HTML already."""
    body = "".join(
        f'<td role="cell" class="{label.lower()}" data-label="{label}"><div>{content}</div></td>'
        for label, content in cells
    )
    return f'<tr role="row"><th scope="row" role="rowheader">{head}</th>{body}</tr>'


def phase_kind(secondary_status: str) -> str:
    """The class of a phase's colour."""
    return _KIND.get(secondary_status, "other")


def phase_bar(phases: Sequence[tuple[str, float]]) -> str:
    """One bar of all phases, widths by their seconds, and the same in words below."""
    spans = [(status, seconds) for status, seconds in phases if seconds > 0]
    total = sum(seconds for _, seconds in spans)
    if not 0 < total < float("inf"):
        return ""
    words = " · ".join(f"{escaped(status)} {span(seconds)}" for status, seconds in spans)
    rects, left = [], 0.0
    for status, seconds in spans:
        width = _BAR * seconds / total
        rects.append(
            f'<rect class="{phase_kind(status)}" x="{left:.2f}" y="0" width="{width:.2f}" height="12">'
            f"<title>{escaped(status)} {span(seconds)}</title></rect>"
        )
        left += width
    return (
        f'<svg class="bar" viewBox="0 0 {_BAR:.0f} 12" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>{words}"
    )
