"""Test which failures of the last day are remembered, for the status page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.polling.failures import RecentFailures
from exporter.simulator import Simulator, steady
from exporter.simulator.casting import failed as failing
from exporter.training.facts import Facts
from exporter.training.job import TrainingJob
from tests.e2e.exposed import lead_to

NOW, DAY = 1_000_000.0, 86400.0


def failed(name: str = "j", **fields: object) -> TrainingJob:
    values = {"status": "Failed", "created": NOW - 3600, "ended": NOW - 60, "failure_category": "ClientError"} | fields
    return TrainingJob(account="1", region="r", name=name, **values)  # type: ignore[arg-type]


def noted(*jobs: TrainingJob, lookback: float = 30 * DAY) -> list[tuple[str, float, str | None]]:
    failures = RecentFailures(lambda: NOW, lookback)
    for job in jobs:
        failures.note(job)
    return [(each.job.name, each.at, each.category) for each in failures.lately()]


def test_a_failure_is_remembered_once_with_what_any_reading_said() -> None:
    listed = failed(failure_category=None)
    assert noted(listed, listed) == [("j", NOW - 60, None)]
    # A listing and a description may differ by milliseconds in CreationTime, and only one of them has the reason.
    described = failed(created=NOW - 3600.4)
    assert noted(listed, described, listed) == [("j", NOW - 60, "ClientError")]


def test_two_jobs_of_one_name_are_two_failures() -> None:
    again = failed(created=NOW - 600, ended=NOW - 30)
    assert [at for _, at, _ in noted(failed(), again)] == [NOW - 60, NOW - 30]


@pytest.mark.parametrize(
    "job",
    [
        failed(ended=NOW - DAY - 1),
        failed(status="InProgress", ended=None),
        failed(status="Stopped", failure_category=None),
        failed(status="Completed", failure_category=None),
    ],
)
def test_what_is_older_or_no_failure_is_not(job: TrainingJob) -> None:
    assert noted(job) == []


def test_a_job_that_failed_early_counts_by_its_last_change() -> None:
    assert noted(failed(ended=None, modified=NOW - 50)) == [("j", NOW - 50, "ClientError")]


def test_a_job_that_is_being_deleted_has_failed_all_the_same() -> None:
    assert len(noted(failed(status="Deleting", secondary_status="Failed"))) == 1


def test_a_record_explains_its_job_and_no_other_one_of_that_name() -> None:
    failures = RecentFailures(lambda: NOW, DAY)
    first, second = failed(failure_category=None), failed(failure_category=None, created=NOW - 600)
    for job in (first, second):
        failures.note(job)
    assert failures.unexplained() == [first.identity, second.identity]
    failures.explain({second.identity: Facts.of(replace(second, failure_category="CapacityError"))})
    assert [each.category for each in failures.lately()] == [None, "CapacityError"]
    failures.explain({failed("another").identity: Facts.of(failed("another"))})
    assert len(failures.lately()) == 2


def test_no_day_is_promised_that_is_not_listed() -> None:
    assert RecentFailures(lambda: NOW, 600.0).span == 600.0
    assert RecentFailures(lambda: NOW, 30 * DAY).span == DAY


def test_old_failures_are_dropped() -> None:
    time = NOW
    failures = RecentFailures(lambda: time, DAY)
    for number in range(3000):
        time = NOW + number * 100
        failures.note(failed(f"j{number}", ended=time))
    assert len(failures.lately()) == DAY / 100 + 1
    assert len(failures._found) <= 2 * (DAY / 100 + 1)


async def test_a_failure_counts_for_a_day_though_the_job_is_tracked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator() as sim:
        lead_to(sim, monkeypatch)
        now = sim.clock.time()
        lives = steady(3, now - 5 * 3600, "old", 60.0)
        sim.store.add(
            "123456789012",
            "us-east-1",
            *(replace(life, ending=failing("ClientError: no such bucket", "ClientError")) for life in lives),
        )
        config = Config.model_validate({"totals": {"backfill": "1d"}, "prices": {"source": "none"}})
        async with App.open(config, SystemClock()) as app:
            assert await app.once()
            again = App(config, SystemClock(), app.ledger)
            assert await again.once()
            (poller,) = [runner.poller for runner in again.runners]
    assert poller is not None
    assert len(poller.tracker) == 0
    # A listing has no reasons, but the ledger has.
    assert [each.category for each in poller.failures.lately()] == ["ClientError"] * 3
