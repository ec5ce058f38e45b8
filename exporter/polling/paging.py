"""Iterates over the pages of any paged operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from exporter.polling.api import ENDLESS, ApiError


class Page(Protocol):
    """A page of a paged operation, with the operation that returned it and the NextToken (None on the last page)."""

    @property
    def operation(self) -> str: ...

    @property
    def next_token(self) -> str | None: ...


P = TypeVar("P", bound=Page)


async def pages(
    fetch: Callable[[str | None], Awaitable[P]], refuse: Callable[[str, str], ApiError] = ApiError
) -> AsyncIterator[P]:
    """Yield every page. `fetch` returns the page for a token; None is the first one.

    A token that repeats would lead through the same pages endlessly: after yielding its page, raise the error that
    `refuse` returns for the operation and the code.
    """
    # Keep hashes, not tokens: tokens are long, and a walk may have thousands of pages.
    used = set[int]()
    token: str | None = None
    while True:
        page = await fetch(token)
        yield page
        token = page.next_token
        if token is None:
            return
        if hash(token) in used:
            raise refuse(page.operation, ENDLESS)
        used.add(hash(token))
