"""Test that a connection which breaks anywhere in a transaction leaves all of it or nothing, on both servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from exporter.ledger.postgres import PostgresStore
from exporter.ledger.store import StoreError
from tests.ledger.books import START, TARGET, job
from tests.ledger.fake_postgres import FakeServer
from tests.ledger.real_postgres import RealDatabase
from tests.ledger.replicas import GROUP, record, write, written


@dataclass
class _Faults:
    """Break the connection at a moment: each statement has one before it and one after it."""

    dies_at: int | None = None
    moments: int = 0

    def __call__(self, connection: Any, statement: str, executed: bool) -> None:
        self.moments += 1
        if self.moments == self.dies_at:
            raise connection.cut(silent=False)


@pytest.fixture(params=["imitated", pytest.param("real", marks=pytest.mark.process)])
def server(request: pytest.FixtureRequest) -> Iterator[FakeServer | RealDatabase]:
    if request.param == "imitated":
        yield FakeServer(time.monotonic)
        return
    with closing(RealDatabase(request.getfixturevalue("database"))) as database:
        yield database


def _held(server: FakeServer | RealDatabase, faults: Callable[..., None]) -> PostgresStore:
    connect: Any = server.connect(faults)
    store = PostgresStore("", "the database", "", START, connect)
    store.replicas(GROUP)
    assert store.hold(TARGET)
    store.claim(TARGET)
    return store


def test_a_break_at_any_moment_leaves_all_of_a_transaction_or_nothing(server: FakeServer | RealDatabase) -> None:
    outcomes = set()
    for moment in range(1, 100):
        faults = _Faults()
        store = _held(server, faults)
        faults.moments, faults.dies_at, said = 0, moment, ""
        try:
            write(store, moment)
        except StoreError as error:
            said = str(error)
        assert not said or said.startswith("the database: cannot be written: ")
        assert bool(store.held) is not bool(said)
        faults.dies_at = None
        found = server.snapshot()
        there = server.record(record(moment).identity) is not None
        assert [number == moment for number in written(found)] == [there, there]
        outcomes.add((bool(said), there))
        store.close()
        if not said:
            break
    # Also the break after the server committed, which nobody learned.
    assert outcomes == {(True, False), (True, True), (False, True)}


def test_every_method_after_a_break_says_that_the_session_was_lost(server: FakeServer | RealDatabase) -> None:
    faults = _Faults()
    store = _held(server, faults)
    faults.moments, faults.dies_at = 0, 1
    with pytest.raises(StoreError, match="cannot be read"):
        store.snapshot()
    uses: tuple[Callable[[], object], ...] = (
        store.snapshot,
        lambda: store.records([job().identity]),
        lambda: store.open_jobs(TARGET),
        lambda: store.unpriced_jobs(TARGET),
        store.price_lists,
        lambda: write(store, 1),
        lambda: store.hold(TARGET),
        lambda: store.claim(TARGET),
        lambda: store.replicas(GROUP),
    )
    for use in uses:
        with pytest.raises(StoreError, match="the session was lost, and with it the targets that this replica held"):
            use()
    store.release(TARGET)
    store.close()
