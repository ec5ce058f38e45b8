"""Test tags that are denied for some jobs: these are counted once the tags are readable, and delay no others."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable

import pytest

from exporter.ledger.opening import open_ledger
from exporter.polling.api import ASSUME, DESCRIBE, TAGS
from exporter.training.parsing import Allowlist
from tests.logged import messages
from tests.polling.pollers import poller, polling
from tests.polling.simulated import HOUR, START, Settings, exporter
from tests.polling.test_by_tags import job as tagged
from tests.sagemaker import Region, error, jobs

DENIED = "AccessDeniedException"
ALL = math.inf


def denying(operation: str, denied: Callable[[str], bool], until: float, region: Region) -> None:
    """Deny an operation for some jobs until a given time."""

    def strike(what: str, name: str) -> None:
        if what == operation and denied(name) and region.now() < until:
            raise error(operation, DENIED)

    region.strike = strike


@pytest.mark.slow
@pytest.mark.parametrize("denied", [1, 20, 39])
async def test_denied_tags_belong_to_their_job(denied: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    lives = [tagged(f"a-{n}", team="vision") for n in range(denied)] + [
        tagged(f"b-{n}", team="vision") for n in range(40 - denied)
    ]
    region = Region(*lives)
    denying(TAGS, lambda name: name.startswith("a-"), START + 2 * HOUR, region)
    async with exporter(region, settings=Settings(cost_tags=("team",))) as one:
        await one.live(900)
        assert one.counted("jobs_created") == {("vision",): 40 - denied}
        assert one.counted("jobs_finished") == {("Completed", "vision"): 40 - denied}
        since = region.clock.monotonic()
        await one.live(1800)
        # Tags are requested once between two resyncs. An ended job that waits only for its tags is rarely read.
        assert region.times(TAGS, since) == []
        assert len(region.times(DESCRIBE, since)) <= 5 * denied + 2 * (40 - denied)
        assert one.health.up
        await one.live(2.5 * HOUR)
        assert one.counted("jobs_finished") == {("Completed", "vision"): 40}
    assert len([message for message in messages(caplog) if "tags" in message]) <= denied + 1


async def test_a_role_that_may_not_be_assumed_for_a_while_is_no_denial_of_tags() -> None:
    region = Region(tagged("ours", team="vision"))

    def strike(operation: str, name: str) -> None:
        if operation == TAGS and region.now() < START + 300:
            raise error(ASSUME, DENIED)

    region.strike = strike
    async with exporter(region, settings=Settings(cost_tags=("team",))) as one:
        await one.live(400)
        assert one.counted("jobs_created") == {("vision",): 1}


@pytest.mark.slow
async def test_the_only_tags_that_are_not_denied_are_found_among_more_jobs_than_are_tried_between_two_resyncs() -> None:
    region = Region(*jobs(399, name="a"), *jobs(1, name="b"))
    denying(TAGS, lambda name: name.startswith("a-"), ALL, region)
    async with open_ledger("", region.clock.time) as ledger:
        one = poller(region, ledger, resync_interval=120.0, allowlist=Allowlist(cost_tags=("team",)))
        async with polling(one):
            await asyncio.sleep(900)
            tried = Counter(call.name for call in region.calls if call.operation == TAGS)
            assert len(tried) == 400
            await asyncio.sleep(2700)
            tried = Counter(call.name for call in region.calls if call.operation == TAGS)
            # Each denied job is retried, for a policy may change.
            assert all(tried[f"a-{n}"] >= 3 for n in range(399))
            assert len(region.times(TAGS)) <= 3600 + 20 * 3600 / 120


async def test_tags_that_are_denied_for_all_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    region = Region(*(tagged(f"job-{n}", team="vision") for n in range(100)))
    denying(TAGS, lambda _: True, ALL, region)
    async with exporter(region, settings=Settings(cost_tags=("team",))) as one:
        await one.live(2 * HOUR)
        assert one.counted("jobs_created") == {}
        assert one.health.up
    assert len(region.times(TAGS)) <= 300
    assert [message for message in messages(caplog) if "tags" in message] == ["tags cannot be read"]
