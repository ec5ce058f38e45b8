"""Test that one rendering of the status page serves all requests within a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from exporter.web.pages import Pages, TooManyPagesError


class Made:
    """Render pages, and record their queries; each rendering waits for `go`."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.at_a_time, self._now = 0, 0
        self.fails: Exception | None = None

    def __call__(self, query: str) -> str:
        self.queries.append(query)
        self._now += 1
        self.at_a_time = max(self.at_a_time, self._now)
        assert self.go.wait(60)
        self._now -= 1
        if self.fails:
            raise self.fails
        return f"<p>{len(self.queries)}"


@asynccontextmanager
async def pages_of(make: Callable[[str], str], *, keep: float = 60, most: int = 16) -> AsyncIterator[Pages[str, str]]:
    pages = Pages(make, keep=keep, most=most)
    try:
        yield pages
    finally:
        await pages.close()


async def test_many_that_ask_at_once_and_later_get_one_rendering() -> None:
    made = Made()
    async with pages_of(made) as pages:
        assert set(await asyncio.gather(*(pages.get("x") for _ in range(45)))) == {"<p>1"}
        assert await pages.get("x") == "<p>1"
    assert made.queries == ["x"]


async def test_after_a_while_it_is_rendered_anew() -> None:
    made = Made()
    async with pages_of(made, keep=0) as pages:
        assert await pages.get("") == "<p>1"
        await asyncio.sleep(0.01)
        assert await pages.get("") == "<p>2"


async def test_different_queries_are_rendered_one_at_a_time() -> None:
    made = Made()
    async with pages_of(made) as pages:
        await asyncio.gather(*(pages.get(str(number)) for number in range(8)))
    assert len(made.queries) == 8
    assert made.at_a_time == 1


async def test_a_client_that_leaves_takes_the_page_from_nobody() -> None:
    made = Made()
    made.go.clear()
    async with pages_of(made) as pages:
        first, second = asyncio.create_task(pages.get("")), asyncio.create_task(pages.get(""))
        while not made.queries:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        made.go.set()
        assert await second == "<p>1"
        assert await pages.get("") == "<p>1"


async def test_clients_that_leave_do_not_pile_up_renderings() -> None:
    made = Made()
    made.go.clear()
    async with pages_of(made) as pages:
        for _ in range(50):
            one = asyncio.create_task(pages.get(""))
            await asyncio.sleep(0)
            one.cancel()
            await asyncio.wait([one])
        made.go.set()
        assert await pages.get("") == "<p>1"
    assert len(made.queries) == 1


async def test_an_error_reaches_everybody_and_is_not_kept() -> None:
    made = Made()
    made.fails = ValueError("broken")
    async with pages_of(made) as pages:
        found = await asyncio.gather(*(pages.get("") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [ValueError] * 3
        made.fails = None
        assert await pages.get("") == "<p>2"


async def test_no_more_different_pages_than_allowed_are_kept_or_waited_for() -> None:
    made = Made()
    async with pages_of(made, most=2) as pages:
        for number in (1, 2, 3):
            await pages.get(str(number))
        assert len(pages._pages) == 2
        await pages.get("3")
        assert len(made.queries) == 3
        made.go.clear()
        waiting = [asyncio.create_task(pages.get(str(number))) for number in (4, 5)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyPagesError):
            await pages.get("6")
        made.go.set()
        await asyncio.gather(*waiting)


async def test_pages_leave_three_quarters_of_the_time_to_others() -> None:
    def make(query: str) -> str:
        times.append(time.monotonic())
        time.sleep(0.05)
        times.append(time.monotonic())
        return ""

    times: list[float] = []
    async with pages_of(make) as pages:
        await asyncio.gather(*(pages.get(str(number)) for number in range(3)))
    assert times[2] - times[1] > 0.14
    assert times[4] - times[3] > 0.14
