"""Parses durations in the format of Prometheus: 30s, 1h30m, 7d."""

from __future__ import annotations

import re

# Milliseconds per unit, largest first: the order in which a duration must list them.
_UNITS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PATTERN = re.compile("".join(f"(?:([0-9]{{1,18}}){unit})?" for unit in _UNITS))
# Prometheus stores a duration as 64-bit nanoseconds; this is its longest one in milliseconds.
_LONGEST = (2**63 - 1) // 1_000_000


def parse(text: str) -> float:
    """Return a duration in seconds. Raises ValueError for anything that Prometheus would reject."""
    if text == "0":
        return 0.0
    match = _PATTERN.fullmatch(text)
    if not text or match is None:
        raise ValueError("not a duration")
    milliseconds = sum(int(count) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True) if count)
    if milliseconds > _LONGEST:
        raise ValueError("longer than a duration can be")
    return milliseconds / 1000
