"""Copy everything in a store to another one, such as from a state file to a database."""

from __future__ import annotations

from typing import NamedTuple

from exporter.ledger.store import CopyableStore, StoreError


class Copied(NamedTuple):
    """What was copied: the numbers of records and of targets."""

    records: int
    targets: int


def copy(source: CopyableStore, destination: CopyableStore) -> Copied:
    """Copy a store to an empty one. Raises StoreError, and then the destination stays empty."""
    if not destination.content().empty:
        raise StoreError(f"{destination.name}: is not empty; totals are copied into an empty place only")
    content = source.content()
    if content.empty:
        raise StoreError(f"{source.name}: is empty; there is nothing to copy")
    destination.fill(content)
    return Copied(len(content.records), len({*content.snapshot.totals, *content.snapshot.marks}))
