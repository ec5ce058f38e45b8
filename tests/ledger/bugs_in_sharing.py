"""Define bugs of replicas, to be injected on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.ledger.connection import Connection
from exporter.ledger.locks import Held
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.postgres_tables import Tables
from exporter.ledger.store import Snapshot, Target
from exporter.ledger.writer import Writer
from exporter.replicas import shared
from exporter.replicas.shared import SharedLeases
from tests.ledger.replica import Application

Patch = pytest.MonkeyPatch


def _open(store: PostgresStore) -> None:
    with store._naming("opened"):
        store._db = store._open()
        store._process = store._db.info.backend_pid


def lock_on_another_connection(patch: Patch) -> None:
    """Hold the locks in a session of their own, as one from a pool."""

    def elsewhere(method: Callable[..., Any]) -> Callable[..., Any]:
        def called(store: Any, *arguments: Any) -> Any:
            writing, process, store._db = store._db, store._process, getattr(store, "other", None)
            try:
                if store._db is None:
                    _open(store)
                return method(store, *arguments)
            finally:
                store.other, store._db, store._process = store._db, writing, process

        return called

    for name in ("replicas", "hold", "claim", "release"):
        patch.setattr(PostgresStore, name, elsewhere(getattr(PostgresStore, name)))


def write_after_the_lock_is_lost(patch: Patch) -> None:
    """Open a new session wherever one is needed, and write whatever is to be written."""

    def session(store: PostgresStore) -> Connection:
        if store._db is None:
            _open(store)
        assert store._db is not None
        return store._db

    patch.setattr(PostgresStore, "_session", session)
    patch.setattr(Tables, "_check", lambda *_: None)


def go_on_in_a_new_session(patch: Patch) -> None:
    """Open a new session at a look, as if the locks of the last one were still there."""
    replicas = PostgresStore.replicas

    def look(store: PostgresStore, group: int) -> Any:
        if store._db is None:
            _open(store)
        return replicas(store, group)

    patch.setattr(PostgresStore, "replicas", look)


def wait_for_nobody(patch: Patch) -> None:
    """Show a target at once, although its last holder may still show it."""
    patch.setattr(shared, "_GRACE", 0.0)


def believe_to_hold_for_ever(patch: Patch) -> None:
    patch.setattr(SharedLeases, "check", lambda _: None)


def read_totals_before_the_lock(patch: Patch) -> None:
    """Read the totals when the wait for a lock begins."""
    hold = PostgresStore.hold

    def wrong(store: Any, target: Target) -> Held | None:
        early: dict[Target, Snapshot] = store.__dict__.setdefault("early", {})
        if target not in early:
            early[target] = store._tables().snapshot([target])
        held = hold(store, target)
        return replace(held, snapshot=early.pop(target)) if held else None

    patch.setattr(PostgresStore, "hold", wrong)


def keep_totals_of_lost_targets(patch: Patch) -> None:
    """Prefer the totals of an earlier time to those that were read with the lock."""

    def join(writer: Writer, snapshot: Snapshot) -> Snapshot:
        writer.committed = snapshot.joined(writer.committed)
        return writer.committed

    patch.setattr(Writer, "join", join)
    patch.setattr(Writer, "leave", lambda writer, _: writer.committed)


def show_old_totals_after_a_reload(patch: Patch) -> None:
    patch.setattr(Application, "take_over", lambda _: None)
