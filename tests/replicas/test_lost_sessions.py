"""Test that a replica whose session is lost gives its targets up, and counts on in a new session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from exporter.ledger.opening import share_ledger
from exporter.ledger.shared import SharedLedger
from exporter.ledger.store import StoreError
from exporter.replicas.shared import SharedLeases
from exporter.simulator import ManualClock
from tests.ledger.books import START, TARGET, job, readings, shown

pytestmark = pytest.mark.process
KEY, GROUP = "key", 7
OTHER = ("444455556666", "us-east-1")


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[SharedLedger]:
    shared = share_ledger(database, "the database", "", lambda: (START, START))
    async with shared:
        yield shared


def end_sessions(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


async def until(true: Callable[[], bool], step: Callable[[], Awaitable[None]]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await step()


async def test_a_loss_that_a_write_notices_gives_all_targets_up(database: str, ledger: SharedLedger) -> None:
    clock = ManualClock(START)
    leases = SharedLeases(ledger, clock)
    leases.share([KEY])
    given_up: list[bool] = []
    leases.on_loss(lambda: given_up.append(leases.holds(TARGET)))

    async def work() -> None:
        async with leases.held(TARGET):
            await asyncio.Event().wait()

    async def later() -> None:
        await asyncio.sleep(0.01)
        clock.advance(1)

    looking = asyncio.create_task(leases.run())
    working = asyncio.create_task(leases.while_assigned(KEY, work))
    try:
        await until(lambda: leases.holds(TARGET), later)
        end_sessions(database)
        await ledger.apply(readings(job()))
        assert ledger.last_error
        await until(lambda: bool(given_up), later)
        assert given_up == [False]
        await until(lambda: leases.holds(TARGET), later)
        await ledger.apply(readings(job()))
        assert ledger.last_error is None
        assert shown(ledger, "jobs_created") == 1
    finally:
        for task in (working, looking):
            task.cancel()
        await asyncio.wait([working, looking])


async def test_targets_that_others_hold_after_a_loss_are_no_concern_of_this_one(
    database: str, ledger: SharedLedger
) -> None:
    await ledger.look(GROUP)
    for target in (TARGET, OTHER):
        assert await ledger.hold(target)
        await ledger.begin(target)
    end_sessions(database)
    await ledger.apply(readings(job()))
    assert ledger.last_error
    with pytest.raises(StoreError, match="session was lost"):
        await ledger.look(GROUP)
    await ledger.lose()
    await ledger.look(GROUP)
    assert await ledger.hold(TARGET)
    await ledger.apply(readings(job()))
    assert ledger.last_error is None
    assert ledger.targets() == [TARGET]
