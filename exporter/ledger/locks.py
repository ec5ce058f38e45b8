"""Define what a store that replicas share has beside the protocol of a store: locks on targets.

The locks belong to the session that writes. Whoever loses the session loses its locks with it, and can no longer write.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from exporter.ledger.store import Snapshot, Store, Target


class Replica(NamedTuple):
    """Identify a live replica: `group` is a hash of the targets that it is configured with, and no other live replica
    has its `number`. Both have 24 bits."""

    group: int
    number: int


@dataclass(frozen=True, slots=True)
class Held:
    """A target that this replica has just locked: its totals and marks, and whether the last one that claimed it has
    `released` it, or is this replica.

    One that has not may have lost its session without knowing it yet, and may still show the target's series.
    """

    snapshot: Snapshot
    released: bool


class SharedStore(Store, Protocol):
    """A store that several replicas use at the same time.

    It opens a new session only in `replicas`: all other methods raise StoreError after the session is lost. Reads
    outside of transactions, and `snapshot` everywhere, contain the targets that this replica holds.
    """

    @property
    def held(self) -> Collection[Target]:
        """Return the targets that are locked in this session."""

    def replicas(self, group: int) -> tuple[Replica, Collection[Replica]]:
        """Return this replica, which is in `group` from now on, and all live ones. Raises StoreError, also if a lock of
        this session is gone, and once after the session was lost in another method: then this replica holds nothing."""

    def hold(self, target: Target) -> Held | None:
        """Lock a target; return None if another replica holds it. Raises StoreError."""

    def claim(self, target: Target) -> None:
        """Record that this replica may show a target that it holds, until it releases it. Raises StoreError."""

    def release(self, target: Target) -> None:
        """Unlock a target, and record that it was released; a target that is not held is ignored. Raises StoreError."""
