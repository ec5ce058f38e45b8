"""Reads an object of AWS's answer with types in mind: what is missing, of another type or out of range is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# Beyond this a time or a duration is nonsense, and would not fit into the totals' integers of 64 bits.
_SECONDS_MAX = 2**33
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Fields:
    """An object of the answer, read with types in mind."""

    __slots__ = ("data",)

    def __init__(self, data: object) -> None:
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}

    def text(self, key: str) -> str:
        value = self.data.get(key)
        return _mended(value) if isinstance(value, str) else ""

    def number(self, key: str, most: float = _SECONDS_MAX) -> float | None:
        """A duration or a time, or a count of at most `most`: never negative."""
        value = number(self.data.get(key))
        return value if value is not None and 0 <= value <= most else None

    def flag(self, key: str) -> bool | None:
        value = self.data.get(key)
        return value if isinstance(value, bool) else None

    def inside(self, key: str) -> Fields:
        return Fields(self.data.get(key))

    def items(self, key: str) -> list[Any]:
        value = self.data.get(key)
        return value if isinstance(value, list) else []

    def pairs(self, key: str) -> dict[str, str]:
        return {_mended(k): _mended(v) for k, v in self.inside(key).data.items() if isinstance(v, str)}


def _mended(text: str) -> str:
    """Half a surrogate pair, which JSON may escape, is no text that could be written anywhere."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def number(value: object) -> float | None:
    """JSON numbers, and the strings that stand for the ones JSON lacks; datetimes of botocore's own parser."""
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
