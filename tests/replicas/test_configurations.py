"""Test that replicas of one database that are configured differently are told so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from exporter.app import App
from exporter.config import Config
from tests.ledger.books import TARGET
from tests.logged import field, messages
from tests.replicas.members import member, run, server
from tests.service.regions import config
from tests.virtual_time import LoopClock

OTHER = ("444455556666", "us-east-1")
WARNING = "replicas of this database have other targets or another totals.by_tags; configure all of them alike"


def _warnings(caplog: pytest.LogCaptureFixture) -> int:
    return messages(caplog).count(WARNING)


def test_replicas_that_stay_different_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET):
            async with member(database, TARGET, OTHER):
                await asyncio.sleep(900)
                assert _warnings(caplog) == 2, "one from each"
                assert field(caplog, "others") == [1, 1]
            await asyncio.sleep(60)
            async with member(database, OTHER):
                await asyncio.sleep(400)
            assert _warnings(caplog) == 4

    run(scenario())


def test_a_rollout_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET, OTHER):
            for _ in range(5):
                async with member(database, TARGET):
                    await asyncio.sleep(200)
                await asyncio.sleep(5)

    run(scenario())
    assert not _warnings(caplog)


def _tagged(*tags: str) -> Config:
    return config(totals={"by_tags": list(tags)})


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [(["team", "cost"], ["cost", "team"], True), (["team"], [], False), (["team"], ["team", "cost"], False)],
)
def test_the_tags_of_totals_belong_to_the_configuration(
    first: Iterable[str], second: Iterable[str], alike: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        database = server()
        async with member(database) as one, member(database) as other:
            for each, tags in ((one, first), (other, second)):
                App(_tagged(*tags), LoopClock(), each.ledger, leases=each.leases).share()
            await asyncio.sleep(400)

    run(scenario())
    assert bool(_warnings(caplog)) is not alike
