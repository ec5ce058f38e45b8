"""Puts the jobs and the health of targets on the board."""

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
from exporter.training.active import ACTIVE, UNKNOWN, ActiveCounts
from exporter.training.cost import NO_RATES, RateOf, Rates, no_rate
from exporter.training.families import JOBS, JobContext, JobView
from exporter.training.job import TrainingJob

_UNKNOWN: tuple[float | None, Rates] = (None, NO_RATES)


def _ignore(_target: Target, _instance_type: str) -> None: ...


def _everything(_target: Target) -> bool:
    return True


def _ignore_end(_target: Target, _name: str) -> None: ...


class BoardDisplay:
    """Implements `exporter.polling.recording.Display` on a board.

    `selects` returns whether a job of that name has series of its own; `context` is passed to the families of jobs;
    `by_tags` maps the tag keys of totals to label names; `rate_of` returns the price in force; `seen` is
    called with the target and the instance type of each job, `ended` with the name of each job that has ended or is
    gone. Nothing of a target is shown while `shows` returns False for it.
    """

    def __init__(
        self,
        board: Board,
        ledger: Ledger,
        selects: Callable[[str], bool],
        context: JobContext,
        by_tags: KeyNames,
        rate_of: RateOf = no_rate,
        seen: Callable[[Target, str], None] = _ignore,
        ended: Callable[[Target, str], None] = _ignore_end,
        shows: Callable[[Target], bool] = _everything,
    ) -> None:
        self._board, self._ledger, self._selects, self._context = board, ledger, selects, context
        self._seen, self._ended, self._shows = seen, ended, shows
        recorded = (tag_keys(ledger.totals(target)) for target in ledger.targets())
        self._total_keys = by_tags.extended(chain.from_iterable(recorded))
        self._shown_totals: dict[Target, Totals] = {}
        self._counts: dict[Target, ActiveCounts] = {}
        self._rate_of = rate_of
        # Names are matched against regular expressions once, not at each change of a job.
        self._selected: dict[tuple[str, str, str], bool] = {}
        # With the CreationTime of the job they belong to: a name may be reused after a deletion.
        self._rates: dict[tuple[str, str, str], tuple[float | None, Rates]] = {}

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None:
        """Show a new or changed job; without `rates` it keeps those it had."""
        if not self._shows((job.account, job.region)):
            return
        key = (job.account, job.region, job.name)
        if rates is not None:
            self._rates[key] = job.created, rates
        for instances in job.instances:
            self._seen((job.account, job.region), instances.type)
        if key not in self._selected:
            self._selected[key] = self._selects(job.name)
        if job.status and self._selected[key]:
            self._board.put(JOBS, key, key, JobView(job, self._context, self.rates(job)))
        if job.terminal:
            self._ended((job.account, job.region), job.name)

    def priced(self, job: TrainingJob, rates: Rates) -> None:
        """Show a job with the prices that it is recorded with, if they are others than before."""
        if self.rates(job) != rates:
            self.job(job, rates)

    def rates(self, job: TrainingJob) -> Rates:
        """Return the prices that the ledger keeps with a job, as far as they were displayed; in any thread."""
        created, rates = self._rates.get((job.account, job.region, job.name), _UNKNOWN)
        return rates if created == job.created else NO_RATES

    def gone(self, target: Target, name: str) -> None:
        """Remove a job from the board."""
        self._board.remove(JOBS, (*target, name))
        self._ended(target, name)
        self._selected.pop((*target, name), None)
        self._rates.pop((*target, name), None)

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None:
        """Show the counts, the health and the totals of a target."""
        if not self._shows(target):
            return
        found = {key: self._rate_of(*target, *key) for key in counts.instances}
        rates = {key: rate for key, rate in found.items() if rate}
        self._counts[target] = replace(counts, rates=rates) if rates else counts
        self._board.put(ACTIVE, target, target, self._counts[target])
        self.health(target, health, jobs)
        self._show_totals(target)

    def refresh(self) -> None:
        """Show the totals of now for all targets whose totals are shown: those of an earlier display may be newer."""
        for target in list(self._shown_totals):
            self._show_totals(target)

    def _show_totals(self, target: Target) -> None:
        totals = self._ledger.totals(target)
        # The ledger replaces its totals when they change, so that comparing the identity is enough.
        if totals and self._shown_totals.get(target) is not totals:
            self._shown_totals[target] = totals
            self._total_keys = self._total_keys.extended(tag_keys(totals))
            self._board.put(TOTALS, target, target, sums(totals, self._total_keys))

    def counts(self, target: Target) -> ActiveCounts:
        """Return the counts of a target that were shown last; in any thread."""
        return self._counts.get(target, UNKNOWN)

    def health(self, target: Target, health: Health, jobs: int) -> None:
        """Show the health of a target, which may be unreachable; `jobs` is the number of its tracked jobs."""
        self._board.put(TARGETS, target, target, health.snapshot(jobs))

    def forget(self, target: Target) -> None:
        """Remove a target from the board because it is not polled under this name any more."""
        for group in (ACTIVE, TOTALS, TARGETS):
            self._board.remove(group, target)
        self._shown_totals.pop(target, None)
        self._counts.pop(target, None)
