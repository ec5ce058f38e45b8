"""Test that after a start, restart and reload the gauges show all jobs or none, and that readiness waits for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.polling.api import DESCRIBE, LIST
from exporter.service import Service
from tests import virtual_time
from tests.sagemaker import OPERATIONS, Region, jobs
from tests.service.regions import REGION, Regions, config, known, serving, text, total
from tests.virtual_time import LoopClock

pytestmark = pytest.mark.slow

NUMBER = 300
JOBS, INSTANCES = "sagemaker_training_jobs", "sagemaker_training_instances"
STRATEGIES = pytest.mark.parametrize("strategy", ["describe", "search"])


def region(number: int = NUMBER) -> Region:
    return Region(*jobs(number), latency=0.05)


def use(patch: pytest.MonkeyPatch, **regions: Region) -> Regions:
    """Serve regions by name, with "_" for "-"."""
    sessions = Regions({name.replace("_", "-"): one for name, one in regions.items()}, known)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: sessions)
    return sessions


async def until_ready(service: Service, within: float = 120.0) -> float:
    """Wait until the service is ready, and return how long it took."""
    began = LoopClock().monotonic()
    async with asyncio.timeout(within):
        while not service.ready()[0]:
            await asyncio.sleep(0.1)
    return LoopClock().monotonic() - began


async def reload(service: Service) -> None:
    """Reload, and wait until the new configuration is in use."""
    before = service.config
    await service.reload()
    while service.config is before:
        await asyncio.sleep(0.1)


async def watched(service: Service, seconds: float, wanted: Callable[[float], bool]) -> None:
    """Scrape again and again, and check that both gauges have the wanted values each time."""
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


@STRATEGIES
def test_a_reload_shows_every_job_all_the_time(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch, us_east_1=region())
        async with serving(lambda: config(polling={"strategy": strategy})) as service:
            await until_ready(service)
            watching = asyncio.create_task(watched(service, 120, every))
            await reload(service)
            assert service.ready() == (True, "ready")
            await watching

    virtual_time.run(scenario())


def test_a_reload_keeps_within_the_limits_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        one = region()
        use(monkeypatch, us_east_1=one)
        async with serving(config) as service:
            await until_ready(service)
            begun = LoopClock().monotonic()
            await reload(service)
            took = LoopClock().monotonic() - begun
            assert len(one.times(DESCRIBE, begun)) <= 20 * (took + 1)
            assert len(one.times(LIST, begun)) <= took + 1

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


def test_readiness_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        one = region(5)
        use(monkeypatch, us_east_1=one)
        async with serving(config) as service:
            await until_ready(service)
            one.failing = dict.fromkeys(OPERATIONS)
            await reload(service)
            assert service.ready() == (True, "ready")
            assert service.status().ready

    virtual_time.run(scenario())


def test_a_reload_while_aws_hangs_keeps_the_old_series_and_then_says_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        one = region()
        use(monkeypatch, us_east_1=one)
        async with serving(config) as service:
            await until_ready(service)
            one.failing = dict.fromkeys(OPERATIONS)
            reloading = asyncio.create_task(reload(service))
            await watched(service, 100, every)
            assert total(await text(service), "sagemaker_exporter_target_up") == 0
            await asyncio.wait_for(reloading, 600)
            for _ in range(200):
                assert total(await text(service), "sagemaker_exporter_target_up") == 0
                await asyncio.sleep(1)
            one.failing = {}
            await asyncio.sleep(180)
            assert total(await text(service), "sagemaker_exporter_target_up") == 1
            assert every(total(await text(service), JOBS))

    virtual_time.run(scenario())


def test_a_reload_does_not_wait_for_a_target_that_failed_before_or_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        failing, new = region(), region()
        failing.failing = dict.fromkeys((LIST, DESCRIBE), "AccessDeniedException")
        new.failing = failing.failing
        use(monkeypatch, us_east_1=failing, eu_west_1=region(5), us_west_2=new)
        configs = [config("us-east-1", "eu-west-1"), config("us-east-1", "eu-west-1", "us-west-2")]
        async with serving(lambda: configs.pop(0)) as service:
            await until_ready(service)
            begun = LoopClock().monotonic()
            await reload(service)
            assert LoopClock().monotonic() - begun < 10

    virtual_time.run(scenario())


def test_the_counters_of_calls_go_on_over_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        sessions = use(monkeypatch, us_east_1=region(5))
        configs = [config(), config("us-east-1", "eu-west-1")]
        sessions.regions["eu-west-1"] = region(5)
        async with serving(lambda: configs.pop(0)) as service:
            await until_ready(service)
            (before,) = service._open().runners
            before.health.calls.failed(LIST, "ThrottlingException")
            started = service.status().started
            await reload(service)
            page, (after, new) = service.status(), service._open().runners
            assert sessions.made[REGION] == 2
            assert after.health.snapshot(0).errors == {(LIST, "ThrottlingException"): 1}
            # OpenMetrics says since when they count.
            assert after.health.snapshot(0).since == started
            assert page.started == started
            assert page.config_loaded is not None
            assert new.health.snapshot(0).since == page.config_loaded > started

    virtual_time.run(scenario())


def test_a_status_that_nobody_knows_is_not_counted_again_by_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        one = region(5)
        phase = "Polishing"
        describe = one.describe_training_job

        async def describe_in_phase(**asked: Any) -> dict[str, Any]:
            return {**await describe(**asked), "SecondaryStatus": phase}

        monkeypatch.setattr(one, "describe_training_job", describe_in_phase)
        use(monkeypatch, us_east_1=one)
        async with serving(config) as service:
            await until_ready(service)
            before = total(await text(service), "sagemaker_exporter_unknown_status_total")
            await reload(service)
            assert total(await text(service), "sagemaker_exporter_unknown_status_total") == before
            phase = "Grinding"
            await asyncio.sleep(60)
            assert total(await text(service), "sagemaker_exporter_unknown_status_total") == before + 5

    virtual_time.run(scenario())
