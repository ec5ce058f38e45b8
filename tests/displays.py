"""Provide displays for pollers: one that discards everything, and one with a board, wired as in the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from exporter.catalogue import GROUPS
from exporter.exposition.board import Board
from exporter.exposition.labels import KeyNames
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.display import BoardDisplay
from exporter.polling.health import Health
from exporter.process.families import ProcessHealth, show_process
from exporter.training.active import ActiveCounts
from exporter.training.cost import RateOf, Rates, no_rate
from exporter.training.families import JobContext
from exporter.training.job import TrainingJob


class Nowhere:
    """Discard everything that is shown."""

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None: ...

    def priced(self, job: TrainingJob, rates: Rates) -> None: ...

    def gone(self, target: Target, name: str) -> None: ...

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None: ...


class Showing(BoardDisplay):
    """Hold a display and its board, which also shows the metrics of the process."""

    def __init__(
        self,
        ledger: Ledger,
        shows: Callable[[str], bool] = lambda family: True,
        selects: Callable[[str], bool] = lambda name: True,
        *,
        started: float = 0.0,
        context: JobContext | None = None,
        by_tags: tuple[str, ...] = (),
        rate_of: RateOf = no_rate,
    ) -> None:
        self._started = started
        self.board = Board(GROUPS, lambda group, family: shows(family.name), self._refresh)
        super().__init__(self.board, ledger, selects, context or JobContext(), KeyNames.of(by_tags), rate_of)

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        return self.board.metrics(openmetrics, gzip)

    async def text(self, openmetrics: bool = False) -> str:
        return b"".join([piece async for piece in self.metrics(openmetrics, gzip=False)]).decode()

    def _refresh(self) -> None:
        show_process(self.board, ProcessHealth(self._started, "0", "3", True, 1.0, 0))
