"""Test that simultaneous reload requests cause one load, and that none is served by a load that started before it."""

from __future__ import annotations

import asyncio

import pytest

from exporter.config import Config, ConfigError, Problem
from exporter.service import Service
from exporter.web.routes import ReloadError
from tests import virtual_time
from tests.sagemaker import Region, jobs
from tests.service.regions import Regions, config, known, serving
from tests.virtual_time import LoopClock

pytestmark = pytest.mark.slow


def use(patch: pytest.MonkeyPatch, number: int = 50) -> None:
    one = Region(*jobs(number), latency=0.05)
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: Regions({"us-east-1": one}, known))


def test_twenty_requests_cause_two_loads_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch)
        loads = list[float]()

        def load() -> Config:
            loads.append(LoopClock().monotonic())
            return config()

        async with serving(load) as service:
            await asyncio.sleep(30)
            asked = list[float]()
            requests = []
            for _ in range(20):
                requests.append(asyncio.create_task(service.reload()))
                await asyncio.sleep(0.01)
                asked.append(LoopClock().monotonic())
            await asyncio.gather(*requests)
            # One for the start, one for the first request, one for all that came while it ran.
            assert len(loads) == 3
            assert loads[-1] > asked[-1]
            # Later requests cause another load.
            await asyncio.gather(service.reload(), service.reload())
            assert len(loads) == 4

    virtual_time.run(scenario())


def test_each_request_gets_the_outcome_of_its_own_load(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch)
        bad = ConfigError([Problem("config.yaml", "polling", "is wrong", "something right")])
        answers: list[Config | ConfigError] = [config(), config(), bad, config()]

        def load() -> Config:
            answer = answers.pop(0)
            if isinstance(answer, ConfigError):
                raise answer
            return answer

        async with serving(load) as service:
            await asyncio.sleep(30)
            first = asyncio.create_task(service.reload())
            await asyncio.sleep(1)
            # The file becomes wrong while the first one runs.
            later = [asyncio.create_task(service.reload()) for _ in range(3)]
            await first
            for one in later:
                with pytest.raises(ReloadError, match="is wrong"):
                    await one
            assert not service.status().config_ok
            await service.reload()
            assert service.status().config_ok

    virtual_time.run(scenario())


def test_a_client_that_does_not_wait_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch)
        async with serving(config) as service:
            await asyncio.sleep(30)
            before = service.config
            impatient, patient = asyncio.create_task(service.reload()), asyncio.create_task(service.reload())
            await asyncio.sleep(0.5)
            impatient.cancel()
            await patient
            assert service.config is not before

    virtual_time.run(scenario())


def test_a_stop_ends_a_reload_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch)
        async with serving(config) as service:
            await asyncio.sleep(30)
            running = asyncio.create_task(service.reload())
            await asyncio.sleep(0.5)
            waiting = asyncio.create_task(service.reload())
            await asyncio.sleep(0.1)
        # The file of the first was read and was fine.
        await asyncio.wait_for(running, 1)
        for one in (waiting, asyncio.create_task(service.reload())):
            with pytest.raises(ReloadError, match="is stopping"):
                await asyncio.wait_for(one, 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(scenario())


def test_a_request_before_the_start_is_over_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch)
        loads = list[float]()

        def load() -> Config:
            loads.append(LoopClock().monotonic())
            return config()

        service = Service(load, LoopClock())
        early = asyncio.create_task(service.reload())
        await asyncio.sleep(1)
        await service.start()
        await early
        assert len(loads) == 2
        await service.stop()

    virtual_time.run(scenario())


def test_a_newer_file_takes_the_place_of_one_that_is_not_shown_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        use(monkeypatch, number=600)
        plain = config()
        first, second = config(jobs={"exclude": "a.*"}), config(jobs={"exclude": "b.*"})
        files = [plain, first, second, second]
        async with serving(lambda: files.pop(0)) as service:
            await asyncio.sleep(60)
            for number in range(3):
                # Each is answered, and none waits for the one before to be shown.
                await asyncio.wait_for(service.reload(), 10)
                assert len(files) == 2 - number
                assert service.config is plain
            begun = LoopClock().monotonic()
            while service.config is plain:
                await asyncio.sleep(1)
            assert service.config is second
            # The last one said the same as the one before, which went on.
            assert LoopClock().monotonic() - begun < 55
            # Of the four applications one polls. Its workers may be busy: how many there are depends on the moment.
            running = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
            assert running.count("App._start") == 1

    virtual_time.run(scenario())
