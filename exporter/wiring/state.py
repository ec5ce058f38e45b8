"""Wire up the totals: the ledger on its store, and how targets are held."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.config import Config
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger, share_ledger
from exporter.ledger.shared import SharedLedger
from exporter.replicas.leases import Leases, SingleProcess
from exporter.replicas.shared import SharedLeases


def open_state(config: Config, clock: Clock) -> Ledger:
    """Return the ledger of a configuration, to be opened with `async with`."""
    state, backfill = config.state, config.totals.backfill
    if not state.url:
        return open_ledger(state.path, clock.time, backfill)
    return share_ledger(state.url, state.name, state.password_file, lambda: (clock.monotonic(), clock.time()), backfill)


def leases_of(ledger: Ledger, clock: Clock) -> Leases:
    """Return how the targets of an open ledger are held."""
    return SharedLeases(ledger, clock) if isinstance(ledger, SharedLedger) else SingleProcess()
