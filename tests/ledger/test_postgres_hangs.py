"""Test that a server which is suspended, and keeps its connections, holds nobody up and changes no total."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from exporter.ledger.connection import Connection
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.session import examine
from exporter.ledger.store import StoreError
from tests import postgres
from tests.ledger.books import START, TARGET, job
from tests.ledger.replicas import GROUP, held_store, opened, record, write, written

pytestmark = pytest.mark.process

_LOOK = "look at its load, its disk, and whether it is suspended"
_SILENT = f"the server did not answer for 0.3 seconds; {_LOOK}"
_USES: dict[str, Callable[[PostgresStore], object]] = {
    "look": lambda store: store.replicas(GROUP),
    "join": lambda store: store.replicas(GROUP + 1),
    "hold": lambda store: store.hold(("444455556666", "us-east-1")),
    "claim": lambda store: store.claim(TARGET),
    "release": lambda store: store.release(TARGET),
    "snapshot": lambda store: store.snapshot(),
    "records": lambda store: store.records([job().identity]),
    "open jobs": lambda store: store.open_jobs(TARGET),
    "prices": lambda store: store.price_lists(),
    "write": lambda store: write(store, 1),
}


class _Suspending(Connection):
    """Suspends its server before one of its statements."""

    patience = 0.3
    statements = 0
    _suspend: tuple[int, Callable[[], object]] | None = None

    def suspend_at(self, statement: int, server: postgres.Server, stack: ExitStack) -> None:
        """Suspend the server before this statement, counted from 1, until the end of the stack."""
        self._suspend = statement, lambda: stack.enter_context(server.suspended())

    def execute(self, *arguments: Any, **options: Any) -> Any:
        self.statements += 1
        if self._suspend and self.statements == self._suspend[0]:
            self._suspend[1]()
        return super().execute(*arguments, **options)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """Run a server that no other test uses."""
    with postgres.running(postgres.programs_or_skip()) as server:
        yield server


@pytest.fixture
def url(server: postgres.Server) -> Iterator[str]:
    with server.database() as url:
        yield url


def _held(url: str) -> tuple[PostgresStore, _Suspending]:
    connections = list[_Suspending]()

    def connect(*arguments: Any, **parameters: Any) -> Connection:
        connections.append(_Suspending.connect(*arguments, **parameters))
        return connections[-1]

    store = PostgresStore(url, "the database", "", START, connect)
    store.replicas(GROUP)
    assert store.hold(TARGET)
    store.claim(TARGET)
    return store, connections[-1]


def _wait_for_end(url: str, process: int) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        until = time.monotonic() + 30
        while admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (process,)).fetchone():
            assert time.monotonic() < until, "the server does not end a session"
            time.sleep(0.01)


@pytest.mark.parametrize("use", _USES)
def test_a_statement_is_given_up_and_the_targets_with_it(server: postgres.Server, url: str, use: str) -> None:
    store, connection = _held(url)
    process = connection.info.backend_pid
    with server.suspended():
        with pytest.raises(StoreError, match=f"the database: cannot be [a-z]+: {_SILENT}"):
            _USES[use](store)
        assert not store.held
    _wait_for_end(url, process)
    other = held_store(url, TARGET)
    other.close()
    # A look reports the loss that it has not noticed itself.
    with suppress(StoreError):
        store.replicas(GROUP)
    store.replicas(GROUP)
    assert store.hold(TARGET)
    store.close()


def test_closing_is_given_up_too(server: postgres.Server, url: str) -> None:
    store, _ = _held(url)
    with server.suspended():
        store.close()
    opened(url).close()


def test_a_session_that_cannot_be_opened_is_given_up(server: postgres.Server, url: str) -> None:
    with server.suspended(), pytest.raises(StoreError, match="the database: cannot be opened: connection timeout"):
        PostgresStore(f"{url}&connect_timeout=2", "the database", "", START)


def test_a_server_that_stops_to_answer_while_a_session_opens_is_given_up(server: postgres.Server, url: str) -> None:
    opened(url).close()
    for statement in range(1, 5):
        with ExitStack() as stack:

            def connect(*arguments: Any, **parameters: Any) -> Connection:
                db = _Suspending.connect(*arguments, **parameters)
                db.suspend_at(statement, server, stack)  # noqa: B023
                return db

            with pytest.raises(StoreError, match=f"the database: cannot be opened: {_SILENT}"):
                PostgresStore(url, "the database", "", START, connect)


def test_doctor_says_that_a_server_does_not_answer(server: postgres.Server, url: str) -> None:
    with ExitStack() as stack:

        def connect(*arguments: Any, **parameters: Any) -> Connection:
            db = _Suspending.connect(*arguments, **parameters)
            db.suspend_at(2, server, stack)
            return db

        with pytest.raises(StoreError) as refused:
            examine(url, "state.url", "", connect=connect)
    assert str(refused.value) == f"state.url: cannot be used: SilenceError; {_LOOK}"


def test_a_transaction_that_is_given_up_leaves_all_of_it_or_nothing(server: postgres.Server, url: str) -> None:
    outcomes = set()
    for number in range(1, 100):
        store, connection = _held(url)
        process, said = connection.info.backend_pid, ""
        with ExitStack() as stack:
            connection.suspend_at(connection.statements + number, server, stack)
            try:
                write(store, number)
            except StoreError as error:
                said = str(error)
        assert bool(store.held) is not bool(said)
        store.close()
        if not said:
            break
        assert said == f"the database: cannot be written: {_SILENT}"
        _wait_for_end(url, process)
        other = opened(url)
        held = other.hold(TARGET)
        assert held is not None
        there = record(number).identity in other.records([record(number).identity])
        assert [found == number for found in written(held.snapshot)] == [there, there]
        outcomes.add(there)
        other.close()
    # Also a COMMIT that the server had received, and executed when it continued.
    assert outcomes == {False, True}
