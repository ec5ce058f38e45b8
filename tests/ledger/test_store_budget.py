"""Test that a ledger needs only a few calls of its store for any number of jobs, so that a store may be remote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore
from tests.ledger.books import DAY, START, TARGET, Disk, Time, job, readings, running, shown
from tests.ledger.counted import CountedStore

_TRANSACTION = ["begin", "records", "write", "commit"]


@dataclass
class _Counted:
    """Hold a ledger, the calls of its store, and its disk."""

    books: Ledger
    store: CountedStore
    disk: Disk

    def calls(self) -> list[str]:
        """Return the calls since the last time."""
        calls = list(self.store.calls)
        self.store.calls.clear()
        return calls


@pytest.fixture
async def counted() -> AsyncIterator[_Counted]:
    disk = Disk()
    store = CountedStore(SqliteStore("", START, disk.connect))
    async with Ledger(lambda _: store, Time()) as books:
        one = _Counted(books, store, disk)
        assert one.calls() == ["snapshot"]
        yield one


@pytest.mark.parametrize("number", [1, 1000])
async def test_a_transaction_of_any_number_of_jobs_takes_the_same_calls(counted: _Counted, number: int) -> None:
    names = [f"job-{each}" for each in range(number)]
    new, over = ([make(name) for name in names] for make in (running, job))
    for batch in (readings(*new), readings(*over), readings(*over, settled=True), readings(*over, settled=True)):
        await counted.books.apply(batch, {TARGET: START})
        assert counted.calls() == _TRANSACTION
    assert shown(counted.books, "jobs_created") == number
    assert await counted.books.closed(over) == {one.identity for one in over}
    assert counted.calls() == ["records"]
    assert len(await counted.books.recorded([one.identity for one in over]) or ()) == number
    assert counted.calls() == ["records"]
    assert await counted.books.open_jobs(TARGET) == []
    assert counted.calls() == ["open_jobs"]


@pytest.mark.parametrize("number", [1, 1000])
async def test_forgetting_takes_one_call_more(counted: _Counted, number: int) -> None:
    over = [job(f"job-{each}") for each in range(number)]
    await counted.books.apply(readings(*over, settled=True))
    counted.calls()
    await counted.books.forget(TARGET, DAY, START + 100 * DAY, [one.identity for one in over])
    assert counted.calls() == ["begin", "records", "delete_records", "write", "commit"]
    assert counted.books.marks(TARGET).forgotten_ms == over[0].identity.created_ms


async def test_only_after_an_error_the_totals_are_read_again(counted: _Counted) -> None:
    await counted.books.apply(readings(job()))
    counted.calls()
    counted.disk.broken = True
    await counted.books.apply(readings(job("second")))
    assert counted.calls() == ["begin"]
    counted.disk.broken = False
    await counted.books.apply(())
    assert counted.calls() == ["begin", "snapshot", "records", "write", "commit"]
    await counted.books.apply(readings(job("third")))
    assert counted.calls() == _TRANSACTION
    assert shown(counted.books, "jobs_created") == 3
