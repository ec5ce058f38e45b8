"""Pages of a listing, one after the other, until there is no next one; for every paged operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from exporter.polling.api import ENDLESS, ApiError


class Page(Protocol):
    """A page, the operation that gave it, and the token of the next one."""

    @property
    def operation(self) -> str: ...

    @property
    def next_token(self) -> str | None: ...


P = TypeVar("P", bound=Page)


async def pages(
    fetch: Callable[[str | None], Awaitable[P]], refuse: Callable[[str, str], ApiError] = ApiError
) -> AsyncIterator[P]:
    """Yield every page. A token that was given before would lead through the same pages for ever: then the walk fails,
    with the error that `refuse` makes of the operation and the code, and the page that had the token was the last."""
    # Their hashes: tokens are long, and a walk may have thousands of pages.
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
