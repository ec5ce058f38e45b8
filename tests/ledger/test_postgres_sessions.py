"""Test what a replica may still do when its session has ended, on a real PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from exporter.ledger.postgres import PostgresStore
from exporter.ledger.store import StoreError
from tests.ledger.books import TARGET
from tests.ledger.replicas import GROUP, held_store, opened

pytestmark = pytest.mark.process


def _end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sagemaker-%'"
        )


def _write(store: PostgresStore) -> None:
    with store.transaction():
        pass


def test_no_new_session_opens_before_the_loss_of_the_last_one_is_reported(database: str) -> None:
    store = held_store(database, TARGET)
    _end_sessions(database)
    with pytest.raises(StoreError, match="cannot be written: terminating connection"):
        _write(store)
    assert not store.held
    for _ in range(2):
        with pytest.raises(StoreError, match="the session was lost, and with it the targets"):
            _write(store)
    with pytest.raises(StoreError, match="the session was lost, and with it the targets"):
        store.replicas(GROUP)
    me, everyone = store.replicas(GROUP)
    assert everyone == {me}
    assert not store.held
    store.close()


def test_a_target_that_was_not_released_is_known_as_such_by_the_next_holder_only(database: str) -> None:
    first, second = held_store(database, TARGET), opened(database)
    assert second.hold(TARGET) is None
    first.release(TARGET)
    held = second.hold(TARGET)
    assert held is not None
    assert held.released
    second.claim(TARGET)
    _end_sessions(database)
    for store in (first, second):
        with pytest.raises(StoreError):
            store.replicas(GROUP)
        store.replicas(GROUP)
    again = second.hold(TARGET)
    assert again is not None
    assert again.released, "nobody else had it"
    _end_sessions(database)
    with pytest.raises(StoreError):
        first.replicas(GROUP)
    first.replicas(GROUP)
    taken = first.hold(TARGET)
    assert taken is not None
    assert not taken.released
    first.close()
    second.close()
