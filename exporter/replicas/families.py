"""Define `sagemaker_exporter_target_held`, and show it."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.exposition.board import Board
from exporter.exposition.family import TARGET, Family, Group, single
from exporter.ledger.store import Target

_HELD: Family[bool] = Family(
    "sagemaker_exporter_target_held",
    "gauge",
    "Whether this process polls the target; one of all replicas that share a database does.",
    TARGET,
    (),
    lambda held: single(float(held)),
    policy="",
)

HELD: Group[bool] = Group("Targets by replica", (_HELD,))


class HeldDisplay:
    """Shows which targets this process holds."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._shown: dict[Target, bool] = {}

    def show(self, held: Mapping[Target, bool]) -> None:
        """Show the targets of this process, and whether it holds each of them. Others are removed."""
        for target in self._shown.keys() - held.keys():
            self._board.remove(HELD, target)
        for target, holds in held.items():
            if self._shown.get(target) is not holds:
                self._board.put(HELD, target, target, holds)
        self._shown = dict(held)
