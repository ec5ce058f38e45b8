"""The loop that reads the quotas of a target: when it reads, what it logs, and how long quotas are shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from exporter.ledger.store import Target
from exporter.polling.api import ASSUME, ApiError
from exporter.quotas.applied import LIST_QUOTAS, Quotas
from exporter.quotas.reader import QuotaReader
from tests.logged import lines, messages
from tests.quotas.listed import ALL, OTHER, quota
from tests.virtual_time import LoopClock, background, run

HOUR = 3600.0
INTERVAL = 12 * HOUR
TARGET = ("123456789012", "us-east-1")


@dataclass
class Lists:
    """The list of quotas; an error is raised."""

    found: Sequence[object] | Exception = field(default_factory=lambda: [quota(ALL, 20.0)])
    reads: list[tuple[float, str]] = field(default_factory=list)

    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        self.reads.append((asyncio.get_running_loop().time(), region))
        if isinstance(self.found, Exception):
            raise self.found
        yield self.found

    def gaps(self) -> list[float]:
        return [round(later - earlier) for (earlier, _), (later, _) in pairwise(self.reads)]


@dataclass
class Shown:
    by_target: dict[Target, Quotas] = field(default_factory=dict)
    states: dict[Target, bool] = field(default_factory=dict)
    vanished: int = 0

    def quotas(self, target: Target, quotas: Quotas | None) -> None:
        if quotas is not None:
            self.by_target[target] = quotas
        elif self.by_target.pop(target, None):
            self.vanished += 1

    def up(self, target: Target, up: bool) -> None:
        self.states[target] = up

    def forget(self, target: Target) -> None:
        self.by_target.pop(target, None)
        self.states.pop(target, None)

    def value(self, target: Target = TARGET) -> float | None:
        return self.by_target[target].all_instances if target in self.by_target else None


@dataclass
class World:
    lists: Lists = field(default_factory=Lists)
    shown: Shown = field(default_factory=Shown)
    errors: list[str] = field(default_factory=list)

    def reader(self, interval: float = INTERVAL, earlier: QuotaReader | None = None) -> QuotaReader:
        return QuotaReader(
            interval, self.lists, self.shown, lambda error: self.errors.append(error.code), LoopClock(), earlier
        )


def reading(reader: QuotaReader, target: Target | None = TARGET) -> AbstractAsyncContextManager[None]:
    """Read in the background while the block runs, which begins when the first read is over."""
    if target:
        reader.follow(target)
    return background(reader.run(), 1)


def denied() -> ApiError:
    return ApiError(LIST_QUOTAS, "AccessDeniedException")


def test_quotas_are_read_once_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = World()
        async with reading(at.reader()):
            assert (at.shown.value(), at.shown.states) == (20.0, {TARGET: True})
            at.lists.found = [quota(ALL, 40.0)]
            await asyncio.sleep(INTERVAL - 60)
            assert (len(at.lists.reads), at.shown.value()) == (1, 20.0)
            await asyncio.sleep(120)
            assert at.shown.value() == 40.0
            await asyncio.sleep(10 * INTERVAL)
        assert at.lists.gaps() == [INTERVAL] * 11
        assert {region for _, region in at.lists.reads} == {"us-east-1"}
        assert at.shown.vanished == 0

    run(scenario())
    assert not caplog.records


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (denied(), "code=AccessDeniedException"),
        (ApiError(LIST_QUOTAS, "NameNotResolved"), "code=NameNotResolved"),
        (ApiError(LIST_QUOTAS, "RepeatedToken"), "code=RepeatedToken"),
        ([], "code=NoQuotas"),
        ([quota("ml.g5.xlarge for endpoint usage")], "code=NoQuotas"),
        (["text", {}, 5, None], "code=NoQuotas"),
    ],
    ids=["denied", "unreachable", "endless", "empty", "other", "broken"],
)
def test_a_failure_is_one_warning_and_quotas_are_shown_for_three_intervals(
    failure: list[object] | Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="exporter")

    async def scenario() -> None:
        at = World()
        async with reading(at.reader()):
            at.lists.found = failure
            await asyncio.sleep(3 * INTERVAL - 120)
            assert (at.shown.value(), at.shown.states) == (20.0, {TARGET: False})
            # A minute, then twice as long each time, and an hour at most.
            assert at.lists.gaps()[:8] == [INTERVAL, 60, 120, 240, 480, 960, 1920, 3600]
            assert set(at.lists.gaps()[8:]) == {3600}
            await asyncio.sleep(240)
            assert (at.shown.value(), at.shown.states) == (None, {TARGET: False})
            (warning,) = lines(caplog)
            assert said in warning
            assert "target=123456789012/us-east-1 shown=true operation=ListServiceQuotas" in warning
            at.lists.found = [quota(ALL, 30.0)]
            await asyncio.sleep(HOUR)
            assert (at.shown.value(), at.shown.states) == (30.0, {TARGET: True})
            # From here on it is once an interval again.
            read = len(at.lists.reads)
            await asyncio.sleep(INTERVAL - HOUR - 120)
            assert len(at.lists.reads) == read

    run(scenario())
    assert messages(caplog) == ["quotas cannot be read", "quotas are read again"]


def test_what_was_never_read_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = World(Lists(denied()))
        async with reading(at.reader()):
            await asyncio.sleep(INTERVAL)
            assert (at.shown.by_target, at.shown.states) == ({}, {TARGET: False})
            assert set(at.errors) == {"AccessDeniedException"}
            at.lists.found = ApiError(LIST_QUOTAS, "Timeout")
            await asyncio.sleep(INTERVAL)

    run(scenario())
    # Another cause is news.
    assert [("AccessDenied" in line, "shown=false" in line) for line in lines(caplog)] == [(True, True), (False, True)]


def test_credentials_that_fail_are_left_to_the_polls_to_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = World(Lists(ApiError(ASSUME, "AccessDenied")))
        async with reading(at.reader()):
            assert at.shown.states == {TARGET: False}

    run(scenario())
    assert not caplog.records


def test_a_short_interval_is_not_made_longer_by_a_failure() -> None:
    async def scenario() -> None:
        at = World(Lists(denied()))
        async with reading(at.reader(90.0)):
            await asyncio.sleep(1000)
        assert at.lists.gaps()[:4] == [60, 90, 90, 90]

    run(scenario())


def test_a_mistake_in_the_code_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        at = World(Lists(RuntimeError("a bug")))
        async with reading(at.reader()):
            assert at.shown.states == {TARGET: False}
            at.lists.found = [quota(ALL, 20.0)]
            await asyncio.sleep(61)
            assert (at.shown.value(), at.shown.states) == (20.0, {TARGET: True})

    run(scenario())
    assert messages(caplog) == ["reading quotas failed unexpectedly"]


def test_nothing_is_read_before_the_account_is_known() -> None:
    async def scenario() -> None:
        at = World()
        reader = at.reader()
        async with reading(reader, None):
            await reader.read()
            await asyncio.sleep(INTERVAL)
            assert at.lists.reads == []
            reader.follow(TARGET)
            await asyncio.sleep(1)
            assert at.shown.value() == 20.0

    run(scenario())


def test_another_region_has_quotas_of_its_own() -> None:
    async def scenario() -> None:
        at, other = World(), (TARGET[0], "eu-west-1")
        reader = at.reader()
        async with reading(reader):
            reader.follow(TARGET)
            assert at.shown.value() == 20.0
            at.lists.found = [quota(OTHER, 2.0), quota(ALL, 5.0)]
            reader.follow(other)
            assert (at.shown.by_target, at.shown.states) == ({}, {})
            await asyncio.sleep(61)
            assert (at.shown.value(TARGET), at.shown.value(other)) == (None, 5.0)
            assert at.shown.states == {other: True}

    run(scenario())


def test_a_reload_shows_what_was_read_before_it_and_reads_nothing_sooner() -> None:
    async def scenario() -> None:
        at = World()
        earlier = at.reader()
        async with reading(earlier):
            await asyncio.sleep(HOUR)
            later = World(at.lists)
            reader = later.reader(earlier=earlier)
            reader.follow(TARGET)
            assert (later.shown.value(), later.shown.states) == (20.0, {TARGET: True})
            # Both run for a while.
            async with reading(reader):
                await asyncio.sleep(INTERVAL / 2)
        async with reading(reader):
            await asyncio.sleep(INTERVAL / 2 - HOUR - 60)
            assert len(at.lists.reads) == 1
            await asyncio.sleep(120)
            assert at.lists.gaps() == [INTERVAL]

    run(scenario())


def test_a_reload_with_another_interval_follows_it() -> None:
    async def scenario() -> None:
        at = World()
        earlier = at.reader()
        async with reading(earlier):
            await asyncio.sleep(HOUR)
        off = World(at.lists)
        turned_off = off.reader(0.0, earlier)
        turned_off.follow(TARGET)
        await asyncio.wait_for(turned_off.run(), 1)
        assert (off.shown.by_target, off.shown.states) == ({}, {})
        async with reading(at.reader(HOUR, earlier)):
            assert len(at.lists.reads) == 2

    run(scenario())


def test_an_interval_of_zero_reads_nothing() -> None:
    async def scenario() -> None:
        at = World()
        reader = at.reader(0.0)
        reader.follow(TARGET)
        await asyncio.wait_for(reader.run(), 1)
        await reader.read()
        assert (at.lists.reads, at.shown.states, at.shown.by_target) == ([], {}, {})

    run(scenario())
