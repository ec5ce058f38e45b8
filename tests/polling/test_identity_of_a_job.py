"""Test that a job whose CreationTime differs by milliseconds between operations counts once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.api import DESCRIBE, LIST, SEARCH
from exporter.simulator import steady
from exporter.training.job import TrainingJob
from tests.polling.simulated import HOUR, START, Settings, due, exporter
from tests.sagemaker import TARGET, Region, records

STRATEGIES = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])


class Jittery(Region):
    """Return a different CreationTime with each operation, shifted by this many seconds."""

    shifts: Mapping[str, float] = MappingProxyType({})

    def perform(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = super().perform(operation, asked)
        if shift := self.shifts.get(operation):
            for record in records(answer):
                record["CreationTime"] += shift
        return answer


@STRATEGIES
@pytest.mark.parametrize(
    ("listed", "searched", "described"),
    [(0.001, 0.0, 0.0), (0.0, 0.001, 0.0), (0.0, 0.0, 0.001), (0.0, 0.0, -0.001), (0.4, -0.4, 0.0), (4e-4, 6e-4, 0.0)],
)
async def test_a_job_counts_once_whatever_operation_shows_it(
    listed: float, searched: float, described: float, search: bool, tmp_path: Path
) -> None:
    lives = [replace(job, created=START + 100 + 700 * n) for n, job in enumerate(steady(5, START, seconds=600))]
    region, settings = Jittery(*lives), Settings(search, settle=60, retention=600)
    region.shifts = {LIST: listed, SEARCH: searched, DESCRIBE: described}
    for _ in range(3):
        # Running, ended and settled jobs are discovered again after each restart.
        async with exporter(region, tmp_path / "db", settings) as one:
            await one.live(HOUR / 2, step=30)
            # Afterwards an operation may round differently.
            listed, searched, described = described, listed, searched
            region.shifts = {LIST: listed, SEARCH: searched, DESCRIBE: described}
    async with exporter(region, tmp_path / "db", settings) as one:
        await one.live(HOUR, step=30)
        assert one.counted("jobs_created") == {(): 5}
        assert one.counted("jobs_finished") == {("Completed",): 5}
        assert one.counted("seconds") == due(region.truth())["seconds"]
        assert await one.ledger.open_jobs(TARGET) == []


@STRATEGIES
async def test_an_ended_job_is_read_no_more_often_because_its_times_differ(search: bool) -> None:
    region = Jittery(*steady(1, START + 100, seconds=600))
    region.shifts = {LIST: 0.001, SEARCH: 6e-4}
    async with exporter(region, settings=Settings(search, settle=60)) as one:
        await one.live(HOUR)
        (followed,) = one.tracker.jobs()
        assert followed.settled_at is not None
        before = len(region.calls)
        await one.live(600)
        assert len(region.times(DESCRIBE)) <= 30
        assert len(region.calls) - before <= 35


def ended(name: str, created: float) -> TrainingJob:
    return TrainingJob(
        account=TARGET[0], region=TARGET[1], name=name, status="Completed", created=created, ended=created + 60,
        modified=created + 60,
    )  # fmt: skip


def created_total(ledger: Ledger) -> int:
    totals = ledger.totals(TARGET).items()
    return sum(one.shown[0] for key, one in totals if key.family == "sagemaker_training_jobs_created_total") // 1000


async def test_one_batch_may_hold_a_job_by_two_creation_times() -> None:
    async with open_ledger("", lambda: START) as ledger:
        await ledger.begin(TARGET)
        jobs = [ended("a", START + ms / 1000) for ms in (0, 1, -1)]
        await ledger.apply([Reading.of(job, settled=True) for job in jobs])
        assert created_total(ledger) == 1
        assert await ledger.closed(jobs) == {job.identity for job in jobs}
        await ledger.apply([Reading.of(ended("a", START + 0.002), settled=True)])
        assert created_total(ledger) == 1


async def test_a_name_that_is_used_again_later_is_another_job() -> None:
    async with open_ledger("", lambda: START) as ledger:
        await ledger.begin(TARGET)
        first, second = ended("a", START), ended("a", START + 1.0)
        await ledger.apply([Reading.of(first, settled=True)])
        assert await ledger.closed([first, second]) == {first.identity}
        await ledger.apply([Reading.of(second, settled=True)])
        assert created_total(ledger) == 2
