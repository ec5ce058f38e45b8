"""Split a list into pages.

A token holds the key of the last entry and not its index, so that a list that grows between two pages neither repeats
nor skips entries.
"""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import orjson

from exporter.simulator.errors import ApiError

T = TypeVar("T")
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The requested page: at most `size` entries in this order, after the entry in `token`."""

    size: int
    descending: bool
    order: str
    token: str | None = None


def page(
    entries: Sequence[T], key: Callable[[T], Key], cut: Cut, keep: Callable[[T], bool]
) -> tuple[list[T], str | None]:
    """Return a page of those `entries` (ascending by `key`) that `keep` accepts, and the token of the next page.

    Raises ApiError if the token does not belong to this order.
    """
    rest: Iterable[T] = entries
    if cut.token:
        last = _decode(cut)
        entries = (
            entries[: bisect.bisect_left(entries, last, key=key)]
            if cut.descending
            else entries[bisect.bisect_right(entries, last, key=key) :]
        )
    rest = filter(keep, reversed(entries) if cut.descending else entries)
    chosen = list(islice(rest, cut.size))
    more = next(iter(rest), None) is not None
    return chosen, _encode(cut, key(chosen[-1])) if more else None


def size_of(request: dict[str, Any]) -> int:
    """Return MaxResults, 10 by default. Raises ApiError if it is not between 1 and 100."""
    size = request.get("MaxResults", 10)
    if not isinstance(size, int) or not 1 <= size <= 100:
        bound = "less than or equal to 100" if isinstance(size, int) and size > 100 else "greater than or equal to 1"
        raise constraint(size, "maxResults", f"Member must have value {bound}")
    return size


def one_of(request: dict[str, Any], name: str, allowed: Sequence[str], default: str | None = None) -> Any:
    """Return a member of the request. Raises ApiError if it is not one of the `allowed` values."""
    value = request.get(name, default)
    if value is not None and value not in allowed:
        member = name[0].lower() + name[1:]
        raise constraint(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    return value


def constraint(value: object, member: str, rule: str) -> ApiError:
    """Return the error for a value that violates a constraint of the service model."""
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}",
    )


def _encode(cut: Cut, key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([cut.order, cut.descending, *key])).decode()


def _decode(cut: Cut) -> Key:
    try:
        order, descending, *key = orjson.loads(base64.urlsafe_b64decode(cut.token or ""))
    except (binascii.Error, ValueError, TypeError):
        order, descending, key = None, None, []
    if (order, descending) != (cut.order, cut.descending):
        raise ApiError("ValidationException", "Invalid NextToken.")
    return tuple(key)
