"""Shows the quotas of the instance types in use, and whether each target's quotas could be read."""

from __future__ import annotations

from exporter.exposition.board import Board
from exporter.ledger.store import Target
from exporter.polling.sources import show_source
from exporter.quotas.applied import Quotas
from exporter.quotas.families import QUOTAS

SOURCE = "quotas"


class QuotaDisplay:
    """Implements the reader's View on a board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._quotas: dict[Target, Quotas] = {}
        self._up: dict[Target, bool] = {}
        # A job is shown at each of its changes, but its types are new only once.
        self._seen: dict[Target, set[str]] = {}

    def seen(self, target: Target, instance_type: str) -> None:
        """Show the quotas of a type from now on: a job of the target has such instances."""
        seen = self._seen.setdefault(target, set())
        if instance_type not in seen:
            seen.add(instance_type)
            self._put(target)

    def quotas(self, target: Target, quotas: Quotas | None) -> None:
        """Show the quotas of a target, or no samples while they are unknown."""
        if quotas is None:
            self._quotas.pop(target, None)
            self._board.remove(QUOTAS, target)
        elif self._quotas.get(target) is not quotas:
            self._quotas[target] = quotas
            self._put(target)

    def up(self, target: Target, up: bool) -> None:
        """Show whether the last read of a target's quotas succeeded."""
        self._up[target] = up
        show_source(self._board, target, SOURCE, up)

    def is_up(self, target: Target) -> bool | None:
        """Return whether the last read of a target's quotas succeeded, None if there was none; in any thread."""
        return self._up.get(target)

    def shown(self, target: Target) -> Quotas | None:
        """Return the quotas of a target, None while they are unknown; in any thread."""
        return self._quotas.get(target)

    def forget(self, target: Target) -> None:
        """Remove a target that is not polled under this name any more."""
        self.quotas(target, None)
        self._seen.pop(target, None)
        self._up.pop(target, None)
        show_source(self._board, target, SOURCE, None)

    def _put(self, target: Target) -> None:
        quotas, seen = self._quotas.get(target), self._seen.get(target, ())
        if quotas is not None:
            by_type = {key: value for key, value in quotas.by_type.items() if key[0] in seen}
            self._board.put(QUOTAS, target, target, Quotas(by_type, quotas.all_instances))
