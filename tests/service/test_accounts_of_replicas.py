"""Test that replicas take over while STS cannot be reached: they know the exporter's own account before they must."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from exporter.app import App
from exporter.aws.sessions import Sessions
from exporter.ledger.store import Target
from exporter.polling.api import IDENTITY, ApiError
from exporter.simulator import Simulator
from tests.ledger.fake_postgres import FakeServer
from tests.replicas.members import Member, member, run, server
from tests.sagemaker import Region
from tests.service.regions import ACCOUNT, Regions, config, serving, text, total
from tests.virtual_time import LoopClock

REGIONS = ("us-east-1", "eu-west-1")
TARGETS = [(ACCOUNT, region) for region in REGIONS]


class _Sts:
    """Replace STS for replicas: each asks until it was answered once. `calls` are counted by replica."""

    def __init__(self) -> None:
        self.down, self.calls = False, Counter[int]()

    def sessions(self, timeout: float, connections: int) -> Regions:
        number, answered = len(self.calls), list[str]()
        self.calls[number] = 0

        async def identify() -> str:
            if not answered:
                self.calls[number] += 1
                await asyncio.sleep(0.01)
                if self.down:
                    raise ApiError(IDENTITY, "EndpointConnectionError")
                answered.append(ACCOUNT)
            return answered[0]

        return Regions({name: Region() for name in REGIONS}, identify)


@asynccontextmanager
async def replica(database: FakeServer) -> AsyncIterator[App]:
    async with member(database) as one:
        app = App(config(*REGIONS), LoopClock(), one.ledger, leases=one.leases)
        one.leases.on_loss(app.hide)
        app.share()
        running = asyncio.create_task(app.run())
        yield app
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> _Sts:
    sts = _Sts()
    monkeypatch.setattr("exporter.app.Sessions", sts.sessions)
    return sts


def _held(app: App) -> set[str]:
    return {runner.name[1] for runner in app.runners if app.leases.holds(runner.name)}


def _names(app: App) -> list[Target]:
    return [runner.name for runner in app.runners]


def test_a_replica_takes_over_while_sts_cannot_be_reached(sts: _Sts) -> None:
    async def scenario() -> None:
        database = server()
        async with replica(database) as second:
            async with replica(database) as first:
                await asyncio.sleep(20)
                assert (len(_held(first)), len(_held(second))) == (1, 1)
                assert _names(first) == _names(second) == TARGETS
                sts.down = True
            await asyncio.sleep(5)
            assert _held(second) == set(REGIONS)
            assert all(runner.complete for runner in second.runners)

    run(scenario())


def test_a_replica_that_polls_nothing_asks_sts_once(sts: _Sts) -> None:
    async def scenario() -> None:
        database = server()
        async with replica(database) as first, replica(database) as second:
            await asyncio.sleep(20)
            before = sum(sts.calls.values())
            async with replica(database) as third:
                await asyncio.sleep(200)
                assert sorted(map(len, map(_held, (first, second, third)))) == [0, 1, 1]
                assert sum(sts.calls.values()) == before + 1

    run(scenario())


def test_what_sts_does_not_say_is_asked_again_and_marks_nothing_as_down(sts: _Sts) -> None:
    async def scenario() -> None:
        database = server()
        async with replica(database), replica(database):
            await asyncio.sleep(20)
            sts.down = True
            async with replica(database) as third:
                await asyncio.sleep(100)
                polled = {runner.name for runner in third.runners if runner.health.up is not None}
                idle = [runner for runner in third.runners if runner.name not in polled]
                assert idle
                sts.down = False
                await asyncio.sleep(20)
                assert all(runner.name in TARGETS for runner in idle)

    run(scenario())


def test_a_new_replica_takes_no_target_before_it_knows_its_account(sts: _Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        database = server()
        async with replica(database) as first:
            await asyncio.sleep(20)
            sts.down = True
            monkeypatch.setattr("exporter.service.open_state", lambda *_: Member(database).ledger)
            async with serving(lambda: config(*REGIONS)):
                await asyncio.sleep(12)
                assert (first.leases.replicas, _held(first)) == (1, set(REGIONS))
                sts.down = False
                await asyncio.sleep(12)
                assert (first.leases.replicas, len(_held(first))) == (2, 1)

    run(scenario())


def test_a_replica_that_never_learns_its_account_shows_its_targets_as_down(
    sts: _Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        sts.down = True
        monkeypatch.setattr("exporter.service.open_state", lambda *_: Member(server()).ledger)
        async with serving(lambda: config(*REGIONS)) as service:
            await asyncio.sleep(20)
            assert total(await text(service), "sagemaker_exporter_target_up") == 0

    run(scenario())


async def test_sts_is_asked_once_at_a_time_for_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", simulator.url)
        sessions = Sessions(5.0, 10)
        found = await asyncio.gather(*(sessions.account(REGIONS[0], None) for _ in range(5)))
        assert len(set(found)) == 1
        assert [calls for (*_, operation), calls in simulator.calls.items() if operation == IDENTITY] == [1]
