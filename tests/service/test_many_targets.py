"""Test hundreds of accounts and regions in one process, in virtual time: none delays another."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from exporter.app import App
from exporter.aws.sessions import AwsService, Role
from exporter.config import Config
from exporter.ledger.store import Target
from exporter.polling.api import LIST, ApiError, Calls
from exporter.polling.poller import Poller
from exporter.training.job import TrainingJob
from exporter.web.status import status
from tests import virtual_time
from tests.logged import lines, messages, text
from tests.polling.pollers import INTERVAL
from tests.sagemaker import OPERATIONS, Region, jobs
from tests.service.regions import OFF
from tests.virtual_time import LoopClock, background

pytestmark = pytest.mark.long

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1")


class World:
    """Replace the SDK's sessions: every requested account and region exists."""

    def __init__(self, accounts: int, number: int = 1) -> None:
        self.accounts = [f"{number:012d}" for number in range(1, accounts + 1)]
        self.crowd: Counter[str] = Counter()
        self.regions: dict[Target, Region] = {}
        for account in self.accounts:
            for region in REGIONS:
                self.regions[account, region] = Region(*jobs(number), crowd=self.crowd)

    def config(self, **polling: object) -> Config:
        rps = {"list_rps": 100.0, "describe_rps": 100.0, "search_rps": 100.0}
        targets = [{"regions": REGIONS, "role_arn": f"arn:aws:iam::{a}:role/exporter"} for a in self.accounts]
        return Config.model_validate({"targets": targets, "polling": {**rps, **polling}, **OFF})

    def default_region(self) -> str | None:
        return None

    async def account(self, region: str, role: Role | None) -> str:
        assert role
        return role.account

    @asynccontextmanager
    async def client(self, service: AwsService, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Region]:
        yield self.regions[await self.account(region, role), region]


@asynccontextmanager
async def running(world: World, patch: pytest.MonkeyPatch, **polling: object) -> AsyncIterator[App]:
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: world)
    async with App.open(world.config(**polling), LoopClock()) as app, background(app.run()):
        yield app


def assert_fresh(app: App, world: World, but: Iterable[Target] = (), since: float = 0.0, late: float = 3.0) -> None:
    """Check that every other target is up, and that it and its jobs were read within the interval."""
    now = LoopClock().time()
    for runner in app.runners:
        if runner.name in but:
            continue
        assert runner.health.up is True, runner.name
        assert runner.health.last_success is not None
        assert now - runner.health.last_success <= INTERVAL + late, runner.name
        for times in world.regions[runner.name].described(since).values():
            assert all(b - a <= INTERVAL + late for a, b in pairwise(times[1:])), runner.name


def test_three_hundred_targets_start_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World(50)
        async with running(world, monkeypatch) as app:
            begun = LoopClock().monotonic()
            assert len(app.runners) == 300
            await asyncio.sleep(16)
            assert app.waiting() == []
            firsts = sorted(region.calls[0].at - begun for region in world.regions.values())
            assert max(Counter(int(at) for at in firsts).values()) <= 21
            assert firsts[-1] <= 15.1
            await asyncio.sleep(6 * INTERVAL)
            assert_fresh(app, world)
            # Later they stay spread: discoveries and describes of all targets together.
            later = [call.at for region in world.regions.values() for call in region.calls if call.at > begun + 75]
            each_second = Counter(int(at) for at in later)
            mean = len(later) / len(each_second)
            assert max(each_second.values()) <= 2.5 * mean

    virtual_time.run(scenario())


def test_targets_that_hang_or_are_denied_delay_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        world = World(10)
        # Half of them, each with more jobs than calls may be under way: more would hang than all together may send.
        hanging = {(account, REGIONS[0]) for account in world.accounts} | {(world.accounts[0], r) for r in REGIONS}
        denied = {(account, REGIONS[1]) for account in world.accounts[1:]}
        async with running(world, monkeypatch, max_concurrency=2) as app:
            await asyncio.sleep(2 * INTERVAL)
            assert_fresh(app, world)
            for name in hanging:
                world.regions[name].failing = dict.fromkeys(OPERATIONS)
            for name in denied:
                world.regions[name].failing = dict.fromkeys(OPERATIONS, "AccessDeniedException")
            # Hanging targets are detected when their first calls time out.
            await asyncio.sleep(3 * INTERVAL)
            since = LoopClock().monotonic()
            await asyncio.sleep(20 * INTERVAL)
            bad = hanging | denied
            assert_fresh(app, world, bad, since)
            for runner in app.runners:
                if runner.name in bad:
                    assert runner.health.up is False
                    codes = {code for _, code in runner.health.last_errors}
                    assert codes == {"Timeout" if runner.name in hanging else "AccessDeniedException"}
            for region in world.regions.values():
                region.failing = {}
            await asyncio.sleep(3 * INTERVAL)
            assert_fresh(app, world, since=LoopClock().monotonic())

    caplog.set_level(logging.WARNING, "exporter")
    virtual_time.run(scenario())
    said = Counter(lines(caplog))
    assert said
    # Not at every poll: once for each thing that a target does.
    assert max(said.values()) == 1


def test_the_limit_on_calls_under_way_holds_over_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World(20)
        for region in world.regions.values():
            region.latency = 0.5
        async with running(world, monkeypatch, max_concurrency=1) as app:
            await asyncio.sleep(6 * INTERVAL)
            assert_fresh(app, world, since=LoopClock().monotonic() - 4 * INTERVAL, late=10.0)
        # Ten times what one target may.
        assert world.crowd["peak"] == 10

    virtual_time.run(scenario())


def test_a_region_that_is_not_enabled_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        world = World(1)
        name = (world.accounts[0], REGIONS[0])
        world.regions[name].failing = dict.fromkeys(OPERATIONS, "UnrecognizedClientException")
        async with running(world, monkeypatch) as app:
            await asyncio.sleep(10 * INTERVAL)
            text = b"".join([piece async for piece in app.board.metrics(False, False)]).decode()
            page = status(app, LoopClock().time())
        labels = f'{{aws_account_id="{name[0]}",aws_region="{name[1]}"}}'
        assert f"sagemaker_exporter_target_up{labels} 0\n" in text
        assert text.count("\nsagemaker_exporter_target_up{") == len(REGIONS)
        (error,) = next(target for target in page.targets if target.region == name[1]).errors
        assert error.operation == LIST
        assert "is the region enabled in the account?" in error.message

    caplog.set_level(logging.WARNING, "exporter")
    virtual_time.run(scenario())
    (said,) = lines(caplog)
    assert f"/{REGIONS[0]} activity=discovery operation={LIST} code=UnrecognizedClientException " in said
    assert "is the region enabled in the account?" in said


def test_a_target_that_cannot_be_reached_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World(1)
        refuse = True

        async def account(region: str, role: Role | None) -> str:
            if refuse and region == REGIONS[0]:
                raise ApiError("AssumeRole", "AccessDenied")
            return world.accounts[0]

        monkeypatch.setattr(world, "account", account)
        async with running(world, monkeypatch) as app:
            await asyncio.sleep(5 * INTERVAL)
            assert [runner.health.up for runner in app.runners] == [False, *[True] * (len(REGIONS) - 1)]
            assert app.waiting() == []
            refuse = False
            await asyncio.sleep(4 * INTERVAL)
            assert all(runner.health.up for runner in app.runners)

    virtual_time.run(scenario())


def test_the_page_says_that_search_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world = World(1)
        for region in world.regions.values():
            region.failing = {"Search": "AccessDeniedException"}
        async with running(world, monkeypatch, strategy="search") as app:
            await asyncio.sleep(3 * INTERVAL)
            page = status(app, LoopClock().time())
        assert {(e.operation, e.code) for target in page.targets for e in target.errors} == {
            ("Search", "AccessDeniedException")
        }
        assert all(target.up for target in page.targets)

    virtual_time.run(scenario())


def test_a_mistake_of_ours_in_one_target_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        world, found, mistaken = World(1), Poller._found, True

        async def mistake(self: Poller, jobs: Sequence[TrainingJob], from_index: bool) -> None:
            if mistaken and self._target[1] == REGIONS[0]:
                raise AttributeError("of ours")
            await found(self, jobs, from_index)

        monkeypatch.setattr(Poller, "_found", mistake)
        async with running(world, monkeypatch) as app:
            await asyncio.sleep(5 * INTERVAL)
            assert [runner.health.up for runner in app.runners] == [False, *[True] * (len(REGIONS) - 1)]
            mistaken = False
            await asyncio.sleep(4 * INTERVAL)
            assert all(runner.health.up for runner in app.runners)
            assert_fresh(app, world)

    virtual_time.run(scenario())
    assert messages(caplog)[0] == "polling failed unexpectedly"
    assert "of ours" not in text(caplog)


def test_once_reads_the_other_targets_despite_a_mistake_of_ours_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world, found = World(1), Poller._found

        async def mistake(self: Poller, jobs: Sequence[TrainingJob], from_index: bool) -> None:
            if self._target[1] == REGIONS[0]:
                raise AttributeError("of ours")
            await found(self, jobs, from_index)

        monkeypatch.setattr(Poller, "_found", mistake)
        monkeypatch.setattr("exporter.app.Sessions", lambda timeout, connections: world)
        async with App.open(world.config(), LoopClock()) as app:
            assert not await app.once()
            assert [runner.health.up for runner in app.runners] == [False, *[True] * (len(REGIONS) - 1)]

    virtual_time.run(scenario())


def test_once_opens_the_clients_of_a_few_targets_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        world, opened = World(accounts=20), [0]
        client = world.client

        @asynccontextmanager
        async def counted(*arguments: Any) -> AsyncIterator[Region]:
            opened.append(opened[-1] + 1)
            async with client(*arguments) as region:
                yield region
            opened.append(opened[-1] - 1)

        monkeypatch.setattr(world, "client", counted)
        monkeypatch.setattr("exporter.app.Sessions", lambda timeout, connections: world)
        async with App.open(world.config(), LoopClock()) as app:
            assert await app.once()
            assert all(runner.complete for runner in app.runners)
        assert 1 < max(opened) <= 20

    virtual_time.run(scenario())
