"""Runs the ledger's transactions on its store, and knows what is committed. Used in the ledger's thread alone."""

from __future__ import annotations

from collections.abc import Callable
from operator import lt

from exporter.ledger.store import LedgerUpdate, Snapshot, Store, StoreError, Transaction

# Decides what a transaction writes, by what is committed.
Work = Callable[[Transaction, Snapshot], LedgerUpdate]


class Writer:
    """Keeps the committed totals and marks in memory, so that a transaction need not read them. Raises StoreError
    where the store cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.committed = store.snapshot()
        # A commit that failed may have happened all the same, and after an error the state may have been exchanged.
        self._in_doubt = False

    def run(self, work: Work) -> Snapshot:
        """Run a transaction; return all totals and marks as they are committed then. Raises StoreError."""
        in_doubt, self._in_doubt = self._in_doubt, True
        with self._store.transaction() as transaction:
            before = self._read_again(transaction) if in_doubt else self.committed
            update = work(transaction, before)
            transaction.write(update)
        self.committed, self._in_doubt = before.updated(update), False
        return self.committed

    def _read_again(self, transaction: Transaction) -> Snapshot:
        """Return what the store has. A total never goes down: if the state was exchanged for an older one while it
        could not be written, that is an error."""
        found = transaction.snapshot()
        for target, totals in self.committed.totals.items():
            for key, series in totals.items():
                there = found.totals.get(target, {}).get(key)
                if there is None or any(map(lt, there.shown, series.shown)):
                    raise StoreError(
                        f"{self._store.name}: has less than was counted, as an older copy has; put the newer one back, "
                        "or restart to go on from this one"
                    )
        return found
