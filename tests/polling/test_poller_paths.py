"""Test a poller in unusual cases: interrupted first walks, denied searches, changes after the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.api import LIST, SEARCH, Answer, ApiError, Calls, CreatedBetween, JobPage
from exporter.polling.assembly import assemble
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.poller import Poller
from exporter.polling.settings import PollerSettings
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.training.parsing import Allowlist
from tests.displays import Nowhere

TARGET = ("123456789012", "us-east-1")
NOW = 1_700_000_000.0
PAGES = 10


class _Clock:
    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def _answer(number: int, **more: object) -> dict[str, object]:
    created = NOW - 3600.0 * (number + 1)
    return {
        "TrainingJobName": f"job-{number}",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "CreationTime": created,
        "LastModifiedTime": created + 10,
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


class _Api:
    """Return one job per page; `patience` calls of List succeed before one fails. Search is denied."""

    def __init__(self, jobs: Sequence[dict[str, object]], clock: _Clock) -> None:
        self.jobs, self._clock, self.patience = list(jobs), clock, 10**9
        self.listed: list[str] = []

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        if not self.patience:
            raise ApiError(LIST, "ThrottlingException")
        self.patience -= 1
        found = [job for job in self.jobs if _within(span, job)]
        start = int(token or 0)
        self.listed += [str(job["TrainingJobName"]) for job in found[start : start + 1]]
        return JobPage(found[start : start + 1], str(start + 1) if start + 1 < len(found) else None)

    async def search_active(self, token: str | None) -> JobPage:
        raise ApiError(SEARCH, "AccessDeniedException")

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        raise ApiError(SEARCH, "AccessDeniedException")

    async def describe(self, name: str) -> Answer | None:
        return next((job for job in self.jobs if job["TrainingJobName"] == name), None)

    async def tags(self, arn: str) -> list[Answer]:
        return []

    def now(self) -> float:
        return self._clock.time()

    def doubts_now(self) -> bool:
        return False


def _within(span: CreatedBetween, job: dict[str, object]) -> bool:
    created = job["CreationTime"]
    assert isinstance(created, float)
    return (span.after or 0.0) < created <= (span.before or NOW)


def _poller(api: _Api, ledger: Ledger, clock: _Clock, *, search: bool = False) -> Poller:
    health = Health("target", Calls(), clock.time)
    return assemble(TARGET, api, PollerSettings(search=search, workers=4), ledger, Nowhere(), health, clock)


async def test_a_first_walk_that_breaks_off_again_and_again_goes_on_where_it_was() -> None:
    clock = _Clock()
    api = _Api([_answer(number) for number in range(PAGES)], clock)
    async with open_ledger("", clock.time) as ledger:
        poller = _poller(api, ledger, clock)
        for _ in range(PAGES):
            # Each time a few calls more than the new jobs cost, fewer than the whole walk does.
            api.patience = 4
            await poller.discover()
            clock.now += 60
        assert len(poller.tracker) == PAGES
        assert poller.health.up
        assert poller.health.first_sync is None


async def test_a_denied_search_falls_back_at_once_and_leaves_the_target_up() -> None:
    clock = _Clock()
    async with open_ledger("", clock.time) as ledger:
        for begin in (Poller.discover, Poller.once):
            poller = _poller(_Api([_answer(1)], clock), ledger, clock, search=True)
            await begin(poller)
            assert len(poller.tracker) == 1
            assert poller.health.up is True
            assert (SEARCH, "AccessDeniedException") in poller.health.last_errors


class _Indexed(_Api):
    """Allow Search; the index has only the names of the active jobs."""

    async def search_active(self, token: str | None) -> JobPage:
        return JobPage([{"TrainingJobName": job["TrainingJobName"]} for job in self.jobs], None, SEARCH)

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        return JobPage([job for job in self.jobs if _within(span, job)], None, SEARCH)


async def test_a_job_whose_entry_in_the_index_cannot_be_read_is_described() -> None:
    clock = _Clock()
    async with open_ledger("", clock.time) as ledger:
        poller = _poller(_Indexed([_answer(1)], clock), ledger, clock, search=True)
        await poller.discover()
        assert poller.tracker.due(clock.now) == []
        await poller.sweep()
        assert poller.tracker.due(clock.now) == ["job-1"]


def test_a_settled_job_that_changed_is_read_again_and_shown_whole_meanwhile() -> None:
    tracker, health = Tracker(TrackerTiming(30.0, 120.0, 3600.0)), Health("target", Calls(), lambda: NOW)
    intake = Intake(*TARGET, Allowlist(), tracker, health, RecentFailures(lambda: NOW, 86400.0))
    ended = {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed", "TrainingEndTime": NOW - 3000}
    whole = intake.parse(_answer(1, **ended, BillableTimeInSeconds=5))
    assert whole is not None
    intake.track(whole, 0.0, Updates.none())
    intake.described(whole, NOW, 0.0, Updates.none())
    assert tracker.due(1e9) == []
    summary, updates = replace(whole, instances=(), billable_seconds=None, modified=NOW - 10), Updates.none()
    assert tracker.should_track(summary, closed=False, now=NOW)
    intake.track(summary, 100.0, updates)
    assert tracker.due(100.0) == ["job-1"]
    tracked = tracker.get("job-1")
    assert tracked is not None
    assert tracked.job == whole
    assert not updates
