"""Puts what CloudWatch said of one target on the board."""

from __future__ import annotations

from exporter.cloudwatch.families import ALGORITHM_METRICS, REQUESTED, UTILIZATION, Requested
from exporter.cloudwatch.readings import JobReading, Readings
from exporter.exposition.board import Board
from exporter.ledger.store import Target
from exporter.polling.sources import show_source

SOURCE = "cloudwatch"


class TargetDisplay:
    """Shows the readings of one target."""

    def __init__(self, board: Board, target: Target) -> None:
        self._board, self._target = board, target

    def job(self, name: str, reading: JobReading) -> None:
        """Show the values of a job, as far as there are any."""
        key = (*self._target, name)
        if reading.utilization is None:
            self._board.remove(UTILIZATION, key)
        else:
            self._board.put(UTILIZATION, key, key, reading.utilization)
        if reading.algorithm:
            self._board.put(ALGORITHM_METRICS, key, key, reading.algorithm)
        else:
            self._board.remove(ALGORITHM_METRICS, key)

    def state(self, readings: Readings) -> None:
        """Show how many metrics were requested, and whether the last read succeeded."""
        requested = Requested(readings.since, readings.requested)
        self._board.put(REQUESTED, self._target, self._target, requested)
        show_source(self._board, self._target, SOURCE, readings.up)


def ended(board: Board, target: Target, name: str) -> None:
    """Remove the samples of a job that has ended."""
    for group in (UTILIZATION, ALGORITHM_METRICS):
        board.remove(group, (*target, name))


def forget(board: Board, target: Target) -> None:
    """Remove a target that is not polled under this name any more."""
    board.remove(REQUESTED, target)
    show_source(board, target, SOURCE, None)
