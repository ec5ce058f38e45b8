"""Read JSON objects of AWS responses by type: a value that is missing, of another type or out of range is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# A larger time or duration is invalid: as a time this is the year 2242. The bound also keeps sums within the 64-bit
# integers that totals are stored as.
_SECONDS_MAX = 2**33
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Fields:
    """Give typed access to one JSON object. Anything but an object is treated as an empty one."""

    __slots__ = ("data",)

    def __init__(self, data: object) -> None:
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}

    def text(self, key: str) -> str:
        """Return a string, "" if it is unknown."""
        value = self.data.get(key)
        return _mended(value) if isinstance(value, str) else ""

    def number(self, key: str, most: float = _SECONDS_MAX) -> float | None:
        """Return a time, a duration or a count from 0 to `most`, None if it is unknown."""
        value = number(self.data.get(key))
        return value if value is not None and 0 <= value <= most else None

    def flag(self, key: str) -> bool | None:
        """Return a boolean, None if it is unknown."""
        value = self.data.get(key)
        return value if isinstance(value, bool) else None

    def inside(self, key: str) -> Fields:
        """Return a nested object, empty if it is unknown."""
        return Fields(self.data.get(key))

    def items(self, key: str) -> list[Any]:
        """Return a list, empty if it is unknown."""
        value = self.data.get(key)
        return value if isinstance(value, list) else []

    def pairs(self, key: str) -> dict[str, str]:
        """Return the string members of a nested object."""
        return {_mended(k): _mended(v) for k, v in self.inside(key).data.items() if isinstance(v, str)}


def _mended(text: str) -> str:
    """Replace lone surrogates: JSON can escape them, but UTF-8, and so the exposition, cannot encode them."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def number(value: object) -> float | None:
    """Return a number from a JSON number, from the strings that AWS sends for NaN and infinity, or from a datetime of
    botocore's parser (as Unix seconds); None for anything else."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else _float(value)
    if isinstance(value, str):
        return _SPECIAL.get(value)
    return value.timestamp() if isinstance(value, datetime) else None


def _float(value: int | float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
