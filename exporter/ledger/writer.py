"""Run the ledger's transactions on its store, and cache what is committed. Used only in the ledger's thread."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import lt

from exporter.ledger.store import LedgerUpdate, Snapshot, Store, StoreError, Target, Transaction

# Decides what a transaction writes, given the committed totals and marks.
Work = Callable[[Transaction, Snapshot], LedgerUpdate]


class Writer:
    """Keep the committed totals and marks in memory, so that transactions need not read them. Creating one raises
    StoreError if the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.committed = store.snapshot()
        # Set while the cache may be wrong: a failed commit may still have taken effect, and after an error the file may
        # have been replaced.
        self._in_doubt = False

    def run(self, work: Work) -> Snapshot:
        """Run a transaction and return all committed totals and marks. Raises StoreError."""
        in_doubt, self._in_doubt = self._in_doubt, True
        with self._store.transaction() as transaction:
            before = self._read_again(transaction) if in_doubt else self.committed
            update = work(transaction, before)
            transaction.write(update)
        self.committed, self._in_doubt = before.updated(update), False
        return self.committed

    def join(self, snapshot: Snapshot) -> Snapshot:
        """Add targets that were read just now; return all committed totals and marks."""
        self.committed = self.committed.joined(snapshot)
        return self.committed

    def leave(self, targets: Collection[Target]) -> Snapshot:
        """Drop targets that others write from now on; return what remains."""
        self.committed = self.committed.without(targets)
        return self.committed

    def _read_again(self, transaction: Transaction) -> Snapshot:
        """Return what the store has. Raises StoreError if a total is lower than before, as after a restore of an older
        copy: a shown total must never go down."""
        found = transaction.snapshot()
        for target, totals in self.committed.totals.items():
            for key, series in totals.items():
                there = found.totals.get(target, {}).get(key)
                if there is None or any(map(lt, there.shown, series.shown)):
                    raise StoreError(
                        f"{self._store.name}: has lower totals than were shown, as an older copy has; put the newer "
                        "one back, or restart to continue from this one"
                    )
        return found
