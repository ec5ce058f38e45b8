"""Test that interrupted and resumed walks over creation times lose nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.polling.api import LIST, ApiError, CreatedBetween
from exporter.polling.discovery import Discovery
from exporter.polling.listing import RecordPage
from exporter.training.job import TrainingJob

# A slow machine must not fail the test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW, LOOKBACK, PAGE = 1_000_000.0, 100_000.0, 3


def record(name: str, created: float | None) -> TrainingJob:
    return TrainingJob(account="123456789012", region="us-east-1", name=name, status="InProgress", created=created)


@dataclass
class Listing:
    """List jobs by creation time, newest first; the requests with these numbers fail."""

    created: list[float]
    failing: set[int] = field(default_factory=set)
    asked: list[CreatedBetween] = field(default_factory=list)

    async def __call__(self, span: CreatedBetween, token: str | None) -> RecordPage:
        self.asked.append(span)
        if len(self.asked) - 1 in self.failing:
            raise ApiError(LIST, "ThrottlingException")
        after, before = span.after, span.before
        found = sorted(
            (t for t in self.created if (after is None or t >= after) and (before is None or t < before)), reverse=True
        )
        start = int(token or 0)
        jobs = [record(f"job-{t}", t) for t in found[start : start + PAGE]]
        return RecordPage(jobs, str(start + PAGE) if start + PAGE < len(found) else None)


async def walked(discovery: Discovery, now: float, listing: Listing, full: bool = False) -> set[float]:
    """Return what one walk found, even if it was interrupted."""
    seen = set[float]()
    try:
        async for page in discovery.walk(lambda: now, listing, listing, full):
            seen |= {job.created for job in page.jobs if job.created is not None}
    except ApiError:
        pass
    return seen


@UNHURRIED
@given(
    st.lists(st.integers(0, 90_000), unique=True, max_size=20),
    st.sets(st.integers(0, 12), max_size=6),
    st.lists(st.lists(st.integers(1, 60), unique=True, max_size=5), max_size=5),
)
async def test_nothing_is_lost_whatever_fails(old: list[int], failing: set[int], later: list[list[int]]) -> None:
    listing = Listing([NOW - age for age in old], failing)
    discovery, seen, now = Discovery(LOOKBACK, None), set[float](), NOW
    for new in later:
        seen |= await walked(discovery, now, listing)
        listing.created += [now + offset / 100 for offset in new]
        now += 60
    listing.failing = set()
    seen |= await walked(discovery, now, listing)
    assert seen == set(listing.created)
    assert discovery.gap is None


async def test_a_walk_that_broke_off_is_taken_up_where_it_stopped() -> None:
    listing = Listing([NOW - 1000 * n for n in range(12)], failing={2})
    discovery = Discovery(LOOKBACK, None)
    first = await walked(discovery, NOW, listing)
    assert len(first) == 2 * PAGE
    listing.asked, listing.failing = [], set()
    second = await walked(discovery, NOW + 1, listing)
    assert first | second == set(listing.created)
    assert len(listing.asked) < 5


async def test_while_nothing_is_new_one_request_is_enough() -> None:
    listing = Listing([NOW - 1000 * n for n in range(12)])
    discovery = Discovery(LOOKBACK, None)
    await walked(discovery, NOW, listing)
    listing.asked = []
    await walked(discovery, NOW + 60, listing)
    assert len(listing.asked) == 1


async def test_a_crowd_of_jobs_made_at_once_is_not_listed_again_while_nothing_is_new() -> None:
    listing = Listing([NOW - 5000 + n for n in range(12)])
    discovery = Discovery(LOOKBACK, None)
    await walked(discovery, NOW, listing)
    listing.asked = []
    assert await walked(discovery, NOW + 60, listing) == set()
    assert len(listing.asked) == 1


async def test_the_machine_s_clock_may_be_wrong_before_aws_has_told_the_time() -> None:
    listing, told = Listing([NOW - 5000]), iter((NOW + 86_400, NOW))
    discovery = Discovery(2 * LOOKBACK, None)
    _ = [page async for page in discovery.walk(lambda: next(told), listing, listing, full=True)]
    assert discovery.until == NOW


@pytest.mark.parametrize("ahead", [86_400, 200 * 86_400])
@pytest.mark.parametrize("failing", [set[int](), {1}, {2}])
async def test_a_machine_whose_clock_is_ahead_leaves_nothing_out_of_the_first_walk(
    ahead: float, failing: set[int]
) -> None:
    listing = Listing([NOW - 1000 * n for n in range(1, 100)], failing)
    discovery, told = Discovery(LOOKBACK, None), iter((NOW + ahead, NOW, NOW + 60, NOW + 60))
    seen = set[float]()
    for full in (True, False) if failing else (True,):
        try:
            async for page in discovery.walk(lambda: next(told), listing, listing, full):
                seen |= {job.created for job in page.jobs if job.created is not None}
        except ApiError:
            listing.failing = set()
    assert seen == set(listing.created)
    assert discovery.gap is None


async def test_a_restart_takes_up_where_the_last_run_stood() -> None:
    listing = Listing([NOW - 5000, NOW - 100])
    assert await walked(Discovery(LOOKBACK, NOW - 1000), NOW, listing) == {NOW - 100}
    assert await walked(Discovery(LOOKBACK, NOW - 1000), NOW, listing, full=True) == {NOW - 5000, NOW - 100}


async def test_what_is_older_than_the_lookback_is_left_out() -> None:
    listing = Listing([NOW - LOOKBACK - 1, NOW - LOOKBACK + 1])
    assert await walked(Discovery(LOOKBACK, None), NOW, listing) == {NOW - LOOKBACK + 1}


async def test_a_full_walk_asks_the_search_index_for_what_is_old() -> None:
    created = [NOW - 10, NOW - 500, NOW - 50_000]
    recent, history = Listing(created), Listing(created[1:])
    found = [page async for page in Discovery(LOOKBACK, None).walk(lambda: NOW, recent, history, full=True)]
    assert {job.created for page in found for job in page.jobs} == set(created)
    assert [page.source for page in found] == [recent, history]


async def test_a_first_request_that_fails_leaves_everything_to_the_next_walk() -> None:
    listing = Listing([NOW - 5], failing={0})
    discovery = Discovery(LOOKBACK, None)
    with pytest.raises(ApiError):
        [page async for page in discovery.walk(lambda: NOW, listing, listing, False)]
    assert (discovery.until, discovery.gap) == (None, None)


async def test_a_job_without_a_creation_time_is_passed_on() -> None:
    async def source(span: CreatedBetween, token: str | None) -> RecordPage:
        return RecordPage([record("none", None), record("none too", None)], None)

    discovery = Discovery(LOOKBACK, None)
    found = [page async for page in discovery.walk(lambda: NOW, source, source, False)]
    assert [len(page.jobs) for page in found] == [2]
    assert discovery.until == NOW
