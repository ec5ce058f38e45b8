"""Define `sagemaker_exporter_source_up`: the state of sources other than the jobs, such as prices, by target."""

from __future__ import annotations

from exporter.exposition.board import Board
from exporter.exposition.family import TARGET, Family, Group
from exporter.ledger.store import Target

_UP: Family[tuple[str, bool]] = Family(
    "sagemaker_exporter_source_up",
    "gauge",
    "Whether the last read of this source succeeded. No sample before the first read, if the source is off, or if "
    "nothing is left to read after a failure.",
    TARGET,
    ("source",),
    lambda state: [((state[0],), float(state[1]))],
    policy="",
)

# One entry per target and source: the name of the source, and whether its last read succeeded.
SOURCES: Group[tuple[str, bool]] = Group("Other sources of a target", (_UP,))


def show_source(board: Board, target: Target, source: str, up: bool | None) -> None:
    """Show whether the last read of a source of a target succeeded; None removes the sample."""
    key = (*target, source)
    if up is None:
        board.remove(SOURCES, key)
    else:
        board.put(SOURCES, key, target, (source, up))
