"""Test a listing whose NextToken repeats: the walk fails and waits its interval, while known jobs are still read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import ENDLESS, LIST, SEARCH, TAGS, ApiError, Calls, JobPage
from exporter.polling.paging import pages
from tests.polling.pollers import DISCOVERY, INTERVAL, poller, polling
from tests.sagemaker import Region, api, jobs
from tests.virtual_time import LoopClock


def fetching(tokens: Sequence[str | None], asked: list[str | None]) -> Callable[[str | None], Any]:
    """Return pages with these tokens, one after the other."""
    given = iter(tokens)

    async def fetch(token: str | None) -> JobPage:
        asked.append(token)
        return JobPage([], next(given), SEARCH)

    return fetch


@pytest.mark.parametrize("tokens", [["A", "A"], ["A", "B", "A"], ["A", "B", "C", "B"], ["", ""]])
async def test_a_token_that_was_given_before_ends_the_walk_with_an_error(tokens: list[str]) -> None:
    asked: list[str | None] = []
    calls = Calls()
    with pytest.raises(ApiError) as failed:
        [page async for page in pages(fetching(tokens, asked), calls.refused)]
    assert (failed.value.operation, failed.value.code) == (SEARCH, ENDLESS)
    assert calls.errors == {(SEARCH, ENDLESS): 1}
    # The page that repeats the token still counts; no call is made with a token twice.
    assert asked == [None, *tokens[:-1]]


async def test_a_walk_of_thousands_of_empty_pages_is_no_endless_one() -> None:
    asked: list[str | None] = []
    tokens = [*(f"{'x' * 2000}{n}" for n in range(5000)), None]
    assert len([page async for page in pages(fetching(tokens, asked))]) == 5001


class Endless(Region):
    """Respond to every list and search with the first page, and with these tokens in a loop, if there are any."""

    tokens: Iterator[str] | None = None

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation not in (LIST, SEARCH) or self.tokens is None:
            return super().perform(operation, asked)
        asked.pop("NextToken", None)
        return {**super().perform(operation, asked), "NextToken": next(self.tokens)}


@pytest.mark.parametrize("tokens", ["A", "AB"])
@pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
async def test_a_target_whose_pages_repeat_is_down_and_its_known_jobs_are_read(search: bool, tokens: str) -> None:
    region = Endless(*jobs(150))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=search)
        async with polling(one):
            await asyncio.sleep(2 * DISCOVERY)
            assert one.health.up is True
            region.tokens = cycle(tokens)
            since = region.clock.monotonic() + DISCOVERY
            await asyncio.sleep(11 * DISCOVERY)
            assert one.health.up is False
            operation = SEARCH if search else LIST
            assert "repeat" in one.health.last_errors[operation, ENDLESS].message
            assert one.health.calls.errors[LIST, ENDLESS] >= 10
            # Two spans at most, each of which ends with the first token that repeats.
            assert len(region.times(LIST, since)) <= 10 * 2 * (len(tokens) + 1) + 2
            assert len(region.times(SEARCH, since)) <= 20 * (len(tokens) + 1) + 4
            reads = region.described(since)
            # What no page of the search shows is described.
            assert len(reads) == (50 if search else 150)
            assert all(len(times) >= 10 * DISCOVERY / INTERVAL - 3 for times in reads.values())
            region.tokens = None
            region.jobs.add(*jobs(1, region.clock.time() + 1, name="new"))
            await asyncio.sleep(2 * DISCOVERY + INTERVAL)
            assert one.health.up is True
            assert one.tracker.get("new-0") is not None


async def test_jobs_that_a_walk_shows_before_its_pages_repeat_are_found_and_read() -> None:
    region = Endless(*jobs(50))
    region.tokens = cycle("A")
    async with open_ledger("", region.clock.time) as ledger:
        assert not await poller(region, ledger).once()
    assert len(region.times(LIST)) == 2
    assert len(region.described()) == 50


async def test_tags_whose_pages_repeat_are_an_error() -> None:
    class Repeating:
        asked = 0

        async def list_tags(self, **_: Any) -> dict[str, Any]:
            self.asked += 1
            return {"Tags": [{"Key": "team", "Value": "vision"}], "NextToken": "A"}

    sdk, calls = Repeating(), Calls()
    with pytest.raises(ApiError, match=ENDLESS):
        await api(sdk, calls, LoopClock()).tags("arn")
    assert sdk.asked == 2
    assert calls.errors == {(TAGS, ENDLESS): 1}
