"""Test that the shared store needs only a few round trips for any number of jobs: its server may be far away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from benchmarks.trips import Trips
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.shared import SharedLedger
from tests.ledger.books import DAY, START, TARGET, job, readings, running, shown

pytestmark = pytest.mark.process
_GROUP = 7


@pytest.fixture
def trips(tmp_path: Path) -> Iterator[Trips]:
    counted = Trips(tmp_path / "trace")
    yield counted
    counted.close()


@pytest.fixture
async def ledger(database: str, trips: Trips) -> AsyncIterator[SharedLedger]:
    """Return a ledger that holds a target."""

    def store(now: float) -> PostgresStore:
        return PostgresStore(database, "the database", "", now, trips.connect)

    shared = SharedLedger(store, lambda: (START, START))
    async with shared:
        await shared.look(_GROUP)
        assert await shared.hold(TARGET)
        trips.taken()
        yield shared


@pytest.mark.parametrize("number", [1, 1000])
async def test_a_transaction_of_any_number_of_jobs_takes_four_round_trips(
    ledger: SharedLedger, trips: Trips, number: int
) -> None:
    names = [f"job-{each}" for each in range(number)]
    new, over = ([make(name) for name in names] for make in (running, job))
    taken = []
    for repeated in range(4):
        for batch in (readings(*new), readings(*over), readings(*over, settled=True)):
            await ledger.apply(batch, {TARGET: START + repeated})
            taken.append(trips.taken())
    # At its sixth execution psycopg prepares a statement, once in a session.
    assert taken == [4] * 5 + [6] + [4] * 6
    assert shown(ledger, "jobs_created") == number
    assert await ledger.closed(over) == {one.identity for one in over}
    assert trips.taken() == 1
    await ledger.forget(TARGET, DAY, START + 100 * DAY, [one.identity for one in over])
    assert trips.taken() == 5


async def test_looking_holding_and_releasing_take_a_few_round_trips(ledger: SharedLedger, trips: Trips) -> None:
    for _ in range(3):
        await ledger.look(_GROUP)
        assert trips.taken() == 1
        await ledger.release(TARGET)
        # That it was released is committed before the lock is free.
        assert trips.taken() == 2
        assert await ledger.hold(TARGET)
        assert trips.taken() == 3
