"""After a start and a restart the gauges show every job or nothing, and readiness waits for that."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.polling.api import DESCRIBE, LIST
from exporter.service import Service
from tests.polling import virtual_time
from tests.polling.virtual_time import LoopClock
from tests.polling.world import Region, jobs
from tests.service.regions import REGION, Regions, config, known, serving, text, total

NUMBER = 300
JOBS, INSTANCES = "sagemaker_training_jobs", "sagemaker_training_instances"
STRATEGIES = pytest.mark.parametrize("strategy", ["describe", "search"])


def region(number: int = NUMBER) -> Region:
    one = Region([], latency=0.05)
    one.jobs = jobs(number, one.clock.time() - 3600)
    return one


def use(patch: pytest.MonkeyPatch, **regions: Region) -> Regions:
    """The regions by their name, with "_" for "-"."""
    sessions = Regions({name.replace("_", "-"): one for name, one in regions.items()}, known)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: sessions)
    return sessions


async def until_ready(service: Service, within: float = 120.0) -> float:
    """How long it took."""
    began = LoopClock().monotonic()
    async with asyncio.timeout(within):
        while not service.ready()[0]:
            await asyncio.sleep(0.1)
    return LoopClock().monotonic() - began


async def watched(service: Service, seconds: float, wanted: Callable[[float], bool]) -> None:
    """Scrape again and again: both gauges give what is wanted each time."""
    until = LoopClock().monotonic() + seconds
    while LoopClock().monotonic() < until:
        exposition = await text(service)
        assert wanted(total(exposition, JOBS))
        assert wanted(total(exposition, INSTANCES))
        await asyncio.sleep(1.5)


def every(value: float) -> bool:
    return value == NUMBER


def every_or_unknown(value: float) -> bool:
    return value == NUMBER or math.isnan(value)


@STRATEGIES
def test_the_first_start_shows_every_job_or_nothing(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch, us_east_1=region())
        async with serving(lambda: config(polling={"strategy": strategy})) as service:
            watching = asyncio.create_task(watched(service, 60, every_or_unknown))
            await until_ready(service)
            await watched(service, 60, every)
            await watching

    virtual_time.run(scenario())


@STRATEGIES
def test_a_restart_shows_every_job_at_once(strategy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def scenario() -> None:
        use(monkeypatch, us_east_1=region())
        settings = config(polling={"strategy": strategy}, state={"path": str(tmp_path / "state.db")})
        async with serving(lambda: settings) as service:
            await until_ready(service)
        async with serving(lambda: settings) as service:
            await asyncio.sleep(4.5)
            # The listing knows how each job is, the state file how many instances it has.
            await watched(service, 1, every)
            await until_ready(service)
            await watched(service, 60, every)

    virtual_time.run(scenario())


def test_readiness_waits_until_every_job_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        one = region()
        use(monkeypatch, us_east_1=one)
        async with serving(config) as service:
            assert service.ready() == (False, f"waiting for {REGION}")
            # At 20 a second.
            assert 14 <= await until_ready(service) <= 20
            assert len(one.described()) == NUMBER
            assert service.status().ready

    virtual_time.run(scenario())


@pytest.mark.parametrize("operation", [LIST, DESCRIBE])
@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "InternalFailure"])
def test_a_target_that_fails_is_waited_for_an_interval_at_most(
    operation: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        failing = region()
        failing.failing = {operation: code}
        use(monkeypatch, us_east_1=failing, eu_west_1=region(5))
        async with serving(lambda: config("us-east-1", "eu-west-1")) as service:
            # Three pages of a list, a second apart, and an interval.
            assert await until_ready(service) <= 35
            # What was never read is unknown, and not 0.
            assert total(await text(service), INSTANCES) == 5

    virtual_time.run(scenario())
