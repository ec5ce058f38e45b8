"""Which jobs are there? Walks over creation times, newest first, that lose nothing when they break off.

Status and modification are no filters here: the service cuts pages before it filters, so both walk the whole history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from exporter.polling.api import ApiError, CreatedBetween
from exporter.polling.listing import RecordPage
from exporter.polling.paging import pages
from exporter.training.job import TrainingJob

Source = Callable[[CreatedBetween, str | None], Awaitable[RecordPage]]
# Listings may show a new job a little late, and clocks differ.
OVERLAP = 600.0
# Two looks at AWS's clock may differ by as much without any harm.
_TOLERANCE = 60.0
# The search index shows it later still.
_RECENT = 900.0


class Found(NamedTuple):
    """A page of a walk and the source it came from."""

    jobs: Sequence[TrainingJob]
    source: Source


class Discovery:
    """`until`: every job created up to then is known, but for those in the `gap` that a broken walk left. `refuse`
    makes the error of a walk whose pages repeat, from its operation and a code."""

    def __init__(self, lookback: float, until: float | None, refuse: Callable[[str, str], ApiError] = ApiError) -> None:
        self._lookback, self._refuse = lookback, refuse
        self.until = until
        self.gap: CreatedBetween | None = None

    def rejects_until(self, now: float) -> bool:
        """Drop `until` if it is later than AWS's time, because some clock was wrong: nobody knows up to when the jobs
        are known, and the next walk goes back to the lookback. Says whether that was so."""
        if self.until is None or self.until <= now + _TOLERANCE:
            return False
        self.until = None
        return True

    async def walk(
        self, clock: Callable[[], float], recent: Source, history: Source, full: bool
    ) -> AsyncIterator[Found]:
        """All jobs created since the last walk; a full one goes back to the lookback. `history` is asked for what
        is older than some minutes, and may be behind by as much. `clock` is AWS's. Raises ApiError."""
        now = clock()
        after = self._after(now, full)
        spans = [(recent, CreatedBetween(after, None))]
        if history != recent and full:
            spans = [
                (recent, CreatedBetween(max(after, now - _RECENT), None)),
                (history, CreatedBetween(after, now - _RECENT + OVERLAP)),
            ]
        if self.gap and not full:
            lags = self.gap.before is None or self.gap.before > now - _RECENT
            spans.append((recent if lags else history, self.gap))
        until: float | None = None
        for source, span in spans:
            reached = None
            try:
                async for page in pages(partial(source, span), self._refuse):
                    if until is None:
                        # The first page has what there is now. Only the clock says when that is: before the first
                        # answer ever it is the machine's, and a CreationTime may be wrong.
                        until = clock()
                        begin = self._after(until, full)
                        if begin < after - OVERLAP:
                            # The machine's clock was ahead by more than clocks differ: the walk began too late.
                            spans.append((recent, CreatedBetween(begin, after + 1.0)))
                            after = begin
                    reached = _lowest(reached, page.jobs)
                    yield Found(page.jobs, source)
            except ApiError:
                self._broke_off(after, span, reached, until)
                raise
        self.until, self.gap = until, None

    def _after(self, now: float, full: bool) -> float:
        floor = now - self._lookback
        if self.until is None:
            return floor
        return min(floor, self.until - OVERLAP) if full else self.until - OVERLAP

    def _broke_off(self, after: float, span: CreatedBetween, reached: float | None, until: float | None) -> None:
        """Remember what was not walked: it is walked later, without walking the rest again."""
        if span.before is None and reached is None:
            return
        before = span.before if reached is None else reached + 1.0
        oldest = min(after, self.gap.after) if self.gap and self.gap.after is not None else after
        self.until, self.gap = until, CreatedBetween(oldest, before)


def _lowest(reached: float | None, jobs: Sequence[TrainingJob]) -> float | None:
    """The earliest creation time so far."""
    times = (reached, *(job.created for job in jobs))
    return min((time for time in times if time is not None), default=None)
