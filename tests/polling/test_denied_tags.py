"""Test tags that are denied for some jobs: these are counted once the tags are readable, and delay no others."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from exporter.polling.api import ASSUME, DESCRIBE, TAGS, ApiError
from tests.logged import messages
from tests.polling.simulated import HOUR, START, Settings, World, exporter
from tests.polling.test_by_tags import job as tagged

DENIED = "AccessDeniedException"
ALL = math.inf


def denying(operation: str, denied: Callable[[str], bool], until: float, world: World) -> None:
    """Deny an operation for some jobs until a given time."""

    def strike(what: str, name: str) -> None:
        if what == operation and denied(name) and world.now() < until:
            raise ApiError(operation, DENIED)

    world.strike = strike


class Arns(World):
    """Pass to `strike` also the job whose tags are requested."""

    async def tags(self, arn: str) -> list[Any]:
        self.strike(TAGS, arn.rpartition("/")[2])
        return list(await super().tags(arn))


@pytest.mark.parametrize("denied", [1, 20, 39])
async def test_denied_tags_belong_to_their_job(denied: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    lives = [tagged(f"a-{n}", team="vision") for n in range(denied)] + [
        tagged(f"b-{n}", team="vision") for n in range(40 - denied)
    ]
    world = Arns(*lives)
    denying(TAGS, lambda name: name.startswith("a-"), START + 2 * HOUR, world)
    async with exporter(world, settings=Settings(cost_tags=("team",))) as one:
        await one.live(900)
        assert one.counted("jobs_created") == {("vision",): 40 - denied}
        assert one.counted("jobs_finished") == {("Completed", "vision"): 40 - denied}
        before = world.calls.copy()
        await one.live(1800)
        # Tags are requested once between two resyncs. An ended job that waits only for its tags is rarely read.
        assert world.calls[TAGS] == before[TAGS]
        assert (world.calls - before)[DESCRIBE] <= 5 * denied + 2 * (40 - denied)
        assert one.health.up
        await one.live(2.5 * HOUR)
        assert one.counted("jobs_finished") == {("Completed", "vision"): 40}
    assert len([message for message in messages(caplog) if "tags" in message]) <= denied + 1


async def test_a_role_that_may_not_be_assumed_for_a_while_is_no_denial_of_tags() -> None:
    world = World(tagged("ours", team="vision"))

    def strike(operation: str, name: str) -> None:
        if operation == TAGS and world.now() < START + 300:
            raise ApiError(ASSUME, DENIED)

    world.strike = strike
    async with exporter(world, settings=Settings(cost_tags=("team",))) as one:
        await one.live(400)
        assert one.counted("jobs_created") == {("vision",): 1}


async def test_tags_that_are_denied_for_all_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    world = World(*(tagged(f"job-{n}", team="vision") for n in range(100)))
    denying(TAGS, lambda _: True, ALL, world)
    async with exporter(world, settings=Settings(cost_tags=("team",))) as one:
        await one.live(2 * HOUR)
        assert one.counted("jobs_created") == {}
        assert one.health.up
    assert world.calls[TAGS] <= 300
    assert [message for message in messages(caplog) if "tags" in message] == ["tags cannot be read"]
