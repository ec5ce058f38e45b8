"""Formats values for the status page: printable text, times, durations, and the bar of a job's phases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

LONGEST = 200
# Control characters, which HTML does not allow, and lone surrogates, which UTF-8 cannot encode.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
# The width of the bar in units of its SVG: widths must be attributes, since the policy forbids inline styles.
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
    """Text that is printable already and is never truncated, such as URLs."""

    __slots__ = ()


class Moment(NamedTuple):
    """A time: `text` is relative to now ("5 min ago"), `exact` is in UTC."""

    text: str
    exact: datetime

    def __html__(self) -> str:
        """Return the HTML element, which Jinja does not escape: it consists of digits and units only."""
        exact = self.exact
        return f'<time datetime="{exact:%Y-%m-%dT%H:%M:%SZ}" title="{exact:%Y-%m-%d %H:%M:%S} UTC">{self.text}</time>'


class Phase(NamedTuple):
    """A phase in the bar: its CSS class, its position and width in thousandths of the bar, and its label."""

    kind: str
    left: str
    width: str
    label: Whole


def printable(value: object) -> object:
    """Return text without characters that HTML or UTF-8 does not allow, truncated to `LONGEST` characters.

    Other types, `Whole` included, are returned as they are. Templates apply this to every value before escaping it.
    """
    if type(value) is not str or (len(value) <= LONGEST and not _UNPRINTABLE.search(value)):
        return value
    # Cut first: a value may be of any length. The extra character shows whether something was cut.
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value[: LONGEST + 1])
    return text[:LONGEST] + "…" if len(text) > LONGEST else text


def counted(number: int, noun: str) -> str:
    """Return a number of things as text, such as `1 job` or `1,200 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """Return a duration as text in its two largest units, such as `3 h 12 min`; negative ones as `0 s`."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{_NBSP}{unit}" if count else "")
    # A line may break between the two parts, but not between a number and its unit.
    return " ".join(part for part in parts[:2] if part) or f"0{_NBSP}s"


def moment(timestamp: float | None, now: float) -> Moment | None:
    """Return a time relative to `now`; None if it is unknown or out of the range of datetime."""
    exact = None if timestamp is None else _utc(timestamp)
    if timestamp is None or exact is None:
        return None
    away = now - timestamp
    text = f"{span(away)} ago" if away >= 0 else f"in {span(-away)}"
    return Moment(text, exact)


def day(timestamp: float | None) -> str:
    """Return the date of a time in UTC, such as `2026-11-28`; `an unknown day` if it is unknown."""
    exact = None if timestamp is None else _utc(timestamp)
    return "an unknown day" if exact is None else f"{exact:%Y-%m-%d}"


def _utc(timestamp: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def phase_kind(secondary_status: str) -> str:
    """Return the CSS class of a phase, a key of PHASE_KINDS."""
    return _KIND.get(secondary_status, "other")


def phase_bar(phases: Sequence[tuple[str, float]]) -> list[Phase]:
    """Return the parts of a bar of all phases, with widths in proportion to their seconds; empty if all are 0."""
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
