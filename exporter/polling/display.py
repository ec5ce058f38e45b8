"""Shows on the board what the pollers know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from exporter.exposition.board import Board
from exporter.exposition.labels import KeyNames
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.ledger.sums import TOTALS, Totals, sums, tag_keys
from exporter.polling.families import TARGETS
from exporter.polling.health import Health
from exporter.training.active import ACTIVE, ActiveCounts
from exporter.training.cost import NO_RATES, RateOf, Rates, no_rate
from exporter.training.families import JOBS, JobContext, JobView
from exporter.training.job import TrainingJob

_UNKNOWN: tuple[float | None, Rates] = (None, NO_RATES)


def _ignore(_region: str, _instance_type: str) -> None: ...


class BoardDisplay:
    """Answers the pollers' Display. `selects` says whether a job has series of its own, `context` is what its families
    use beside it, `by_tags` has the label names of the totals' tags, `rate_of` the prices in force, and `seen` is told
    the region and the type of all instances."""

    def __init__(
        self,
        board: Board,
        ledger: Ledger,
        selects: Callable[[str], bool],
        context: JobContext,
        by_tags: KeyNames,
        rate_of: RateOf = no_rate,
        seen: Callable[[str, str], None] = _ignore,
    ) -> None:
        self._board, self._ledger, self._selects, self._context = board, ledger, selects, context
        self._seen = seen
        recorded = (tag_keys(ledger.totals(target)) for target in ledger.targets())
        self._total_keys = by_tags.extended(chain.from_iterable(recorded))
        self._shown_totals: dict[Target, Totals] = {}
        self._rate_of = rate_of
        # A job is put here at each change; its name is matched once.
        self._selected: dict[tuple[str, str, str], bool] = {}
        # With the CreationTime of the job: a name may be used again.
        self._rates: dict[tuple[str, str, str], tuple[float | None, Rates]] = {}

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None:
        """Show a job, new or changed; without `rates` those that it had."""
        key = (job.account, job.region, job.name)
        if rates is not None:
            self._rates[key] = job.created, rates
        for instances in job.instances:
            self._seen(job.region, instances.type)
        if key not in self._selected:
            self._selected[key] = self._selects(job.name)
        if job.status and self._selected[key]:
            created, rates = self._rates.get(key, _UNKNOWN)
            known = rates if created == job.created else NO_RATES
            self._board.put(JOBS, key, key, JobView(job, self._context, known))

    def gone(self, target: Target, name: str) -> None:
        """Show a job no more."""
        self._board.remove(JOBS, (*target, name))
        self._selected.pop((*target, name), None)
        self._rates.pop((*target, name), None)

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None:
        """Show how a target is now."""
        found = {key: self._rate_of(*target, *key) for key in counts.instances}
        rates = {key: rate for key, rate in found.items() if rate}
        self._board.put(ACTIVE, target, target, replace(counts, rates=rates) if rates else counts)
        self.health(target, health, jobs)
        totals = self._ledger.totals(target)
        if totals and self._shown_totals.get(target) is not totals:
            self._shown_totals[target] = totals
            self._total_keys = self._total_keys.extended(tag_keys(totals))
            self._board.put(TOTALS, target, target, sums(totals, self._total_keys))

    def health(self, target: Target, health: Health, jobs: int) -> None:
        """Show how polling a target goes, even one that cannot be reached."""
        self._board.put(TARGETS, target, target, health.snapshot(jobs))

    def forget(self, target: Target) -> None:
        """Show a target no more: it is not polled under this name."""
        for group in (ACTIVE, TOTALS, TARGETS):
            self._board.remove(group, target)
        self._shown_totals.pop(target, None)
