"""Small pieces of the status page: printable text, ages and spans for people, and the bar of a job's phases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

LONGEST = 200
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


class Whole(str):
    """Text that is printable already and is shown whole, however long it is: URLs above all."""

    __slots__ = ()


class Moment(NamedTuple):
    """A time: how long ago or ahead it is, and when exactly."""

    text: str
    exact: datetime

    def __html__(self) -> str:
        """Return the element that a template shows: made of nothing but digits and units."""
        exact = self.exact
        return f'<time datetime="{exact:%Y-%m-%dT%H:%M:%SZ}" title="{exact:%Y-%m-%d %H:%M:%S} UTC">{self.text}</time>'


class Phase(NamedTuple):
    """A phase's part of the bar: the class of its colour, its place and width in thousandths, and what it says."""

    kind: str
    left: str
    width: str
    label: Whole


def printable(value: object) -> object:
    """Return plain text without what HTML or UTF-8 cannot hold, cut at a length that no real name reaches; anything
    else as it is. Templates apply this to all that they print, before they escape it."""
    if type(value) is not str or (len(value) <= LONGEST and not _UNPRINTABLE.search(value)):
        return value
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value[: LONGEST + 1])
    return text[:LONGEST] + "…" if len(text) > LONGEST else text


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


def moment(timestamp: float | None, now: float) -> Moment | None:
    """Return a time as the page shows it; None if it is not known."""
    exact = None if timestamp is None else _utc(timestamp)
    if timestamp is None or exact is None:
        return None
    away = now - timestamp
    text = f"{span(away)} ago" if away >= 0 else f"in {span(-away)}"
    return Moment(text, exact)


def _utc(timestamp: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def phase_kind(secondary_status: str) -> str:
    """The class of a phase's colour."""
    return _KIND.get(secondary_status, "other")


def phase_bar(phases: Sequence[tuple[str, float]]) -> list[Phase]:
    """Return the parts of a bar of all phases, widths by their seconds; none where the phases have no length."""
    spans = [(status, seconds) for status, seconds in phases if seconds > 0]
    total = sum(seconds for _, seconds in spans)
    if not 0 < total < float("inf"):
        return []
    parts, left = [], 0.0
    for status, seconds in spans:
        width = _BAR * seconds / total
        label = Whole(f"{printable(status)} {span(seconds)}")
        parts.append(Phase(phase_kind(status), f"{left:.2f}", f"{width:.2f}", label))
        left += width
    return parts
