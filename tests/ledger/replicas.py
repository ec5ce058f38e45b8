"""Open stores on a real PostgreSQL, as replicas do."""

from __future__ import annotations

from exporter.ledger.postgres import PostgresStore
from exporter.ledger.store import Target
from tests.ledger.books import START

GROUP = 7


def opened(url: str) -> PostgresStore:
    """Return the store of a new replica, which is known to the others."""
    store = PostgresStore(url, "the database", "", START)
    store.replicas(GROUP)
    return store


def held_store(url: str, *targets: Target) -> PostgresStore:
    """Return the store of a new replica that holds these targets."""
    store = opened(url)
    for target in targets:
        assert store.hold(target)
        store.claim(target)
    return store
