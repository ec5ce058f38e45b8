"""Parse the numbers of a price list without rounding: prices as decimals, memory in bytes."""

from __future__ import annotations

import re
from decimal import Decimal

# Plain digits only: Decimal also accepts "NaN", and "1E+999999", which takes up all memory as a Fraction.
_PRICE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,30})?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_MEMORY = re.compile(r"([0-9][0-9,]{0,9}(?:\.[0-9]{1,3})?) ?(GiB|TiB)", re.ASCII)
_UNITS = {"GiB": 2**30, "TiB": 2**40}


def price(text: object) -> Decimal:
    """Return a price written in plain digits. Raises ValueError, whose text names what is wrong."""
    if not isinstance(text, str):
        raise ValueError("the price is not a string")
    if text.startswith("-"):
        raise ValueError(f"the price {text[:30]} is negative")
    if not _PRICE.fullmatch(text):
        raise ValueError(f"the price {text[:30]!r} is not a number")
    return Decimal(text)


def count(text: str) -> int | None:
    """Return a whole number; None for anything else, such as "N/A"."""
    return int(text) if _NUMBER.fullmatch(text) else None


def memory(text: str) -> int | None:
    """Return an amount such as "1,952 GiB" or "1.5 TiB" in bytes; None for anything else."""
    match = _MEMORY.fullmatch(text)
    return int(Decimal(match[1].replace(",", "")) * _UNITS[match[2]]) if match else None
