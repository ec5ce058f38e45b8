"""Test a poller in unusual cases: interrupted first walks, denied searches, changes after the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exporter.ledger.opening import open_ledger
from exporter.polling.api import LIST, SEARCH, Calls
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.poller import Poller
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.simulator import describe
from exporter.training.parsing import Allowlist
from tests.polling.pollers import poller
from tests.sagemaker import TARGET, Region, error, job, records
from tests.virtual_time import BEGIN as NOW

PAGES = 10


async def test_a_first_walk_that_breaks_off_again_and_again_goes_on_where_it_was() -> None:
    region = Region(*(job(f"job-{number}", NOW - 3600 * (number + 1)) for number in range(PAGES)))
    region.page, patience = 1, 0

    def strike(operation: str, name: str) -> None:
        nonlocal patience
        if operation == LIST and not patience:
            raise error(LIST, "ThrottlingException")
        patience -= operation == LIST

    region.strike = strike
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger)
        for _ in range(PAGES):
            # Each time a few calls more than the new jobs cost, fewer than the whole walk does.
            patience = 4
            await one.discover()
            region.clock.advance(60)
        assert len(one.tracker) == PAGES
        assert one.health.up
        assert one.health.first_sync is None


async def test_a_denied_search_falls_back_at_once_and_leaves_the_target_up() -> None:
    region = Region(job("job"), failing={SEARCH: "AccessDeniedException"})
    async with open_ledger("", region.clock.time) as ledger:
        for begin in (Poller.discover, Poller.once):
            one = poller(region, ledger, search=True)
            await begin(one)
            assert len(one.tracker) == 1
            assert one.health.up is True
            assert (SEARCH, "AccessDeniedException") in one.health.last_errors


class Indexed(Region):
    """Have only the names of the active jobs in the index."""

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = super().perform(operation, asked)
        if "TrainingJobStatus" in str(asked.get("SearchExpression")):
            names = [{"TrainingJobName": record["TrainingJobName"]} for record in records(answer)]
            return {"Results": [{"TrainingJob": name} for name in names]}
        return answer


async def test_a_job_whose_entry_in_the_index_cannot_be_read_is_described() -> None:
    region = Indexed(job("job"))
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, search=True)
        await one.discover()
        assert one.tracker.due(region.clock.monotonic()) == []
        await one.sweep()
        assert one.tracker.due(region.clock.monotonic()) == ["job"]


def test_a_settled_job_that_changed_is_read_again_and_shown_whole_meanwhile() -> None:
    tracker, health = Tracker(TrackerTiming(30.0, 120.0, 3600.0)), Health("target", Calls(), lambda: NOW)
    intake = Intake(*TARGET, Allowlist(), tracker, health, RecentFailures(lambda: NOW, 86400.0))
    whole = intake.parse(describe(job("job", NOW - 7200, NOW - 3000), NOW))
    assert whole is not None
    intake.track(whole, 0.0, Updates.none())
    intake.described(whole, NOW, 0.0, Updates.none())
    assert tracker.due(1e9) == []
    summary, updates = replace(whole, instances=(), billable_seconds=None, modified=NOW - 10), Updates.none()
    assert tracker.should_track(summary, closed=False, now=NOW)
    intake.track(summary, 100.0, updates)
    assert tracker.due(100.0) == ["job"]
    tracked = tracker.get("job")
    assert tracked is not None
    assert tracked.job == whole
    assert not updates
