"""Finds jobs by walking through creation times, newest first. A walk that fails loses nothing: the next one resumes it.

Jobs are not filtered by status or modification time: the service cuts pages before it filters, so that either filter
would walk through the whole history.
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
# Seconds that two walks overlap: a listing may show a new job a little late, and clocks differ.
OVERLAP = 600.0
# Two readings of AWS's clock may differ by this many seconds.
_TOLERANCE = 60.0
# Seconds by which the search index may lag behind: newer jobs are listed, not searched.
_RECENT = 900.0


class Found(NamedTuple):
    """A page of a walk and the source it came from."""

    jobs: Sequence[TrainingJob]
    source: Source


class Discovery:
    """Walks through the jobs of one target.

    Every job created up to `until` (Unix seconds by AWS's clock; None before the first walk) is known, except those in
    the `gap` that a failed walk left. Walks go back `lookback` seconds at most. `refuse` returns the error to raise for
    a walk with repeating pages, given the operation and a code.
    """

    def __init__(self, lookback: float, until: float | None, refuse: Callable[[str, str], ApiError] = ApiError) -> None:
        self._lookback, self._refuse = lookback, refuse
        self.until = until
        self.gap: CreatedBetween | None = None

    def rejects_until(self, now: float) -> bool:
        """Discard `until` if it is later than AWS's time; return whether it was.

        Some clock was wrong then, so it is unknown which jobs were found: the next walk goes back the whole lookback.
        """
        if self.until is None or self.until <= now + _TOLERANCE:
            return False
        self.until = None
        return True

    async def walk(
        self, clock: Callable[[], float], recent: Source, history: Source, full: bool
    ) -> AsyncIterator[Found]:
        """Yield pages of all jobs created since the last walk, or within the lookback for a `full` walk.

        `recent` must be up to date; `history` is used for older jobs and may lag by some minutes. `clock` is AWS's.
        Raises ApiError; the next walk then resumes where this one failed.
        """
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
                        # The first page shows the jobs as of now. `now` may be the machine's time, if no response had
                        # told AWS's before, and a CreationTime may be wrong: so read the clock again.
                        until = clock()
                        begin = self._after(until, full)
                        if begin < after - OVERLAP:
                            # The machine's clock was ahead: the walk began too late, so add the missing range.
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
        """Record the range that a failed walk has not covered, so that the next one does not repeat the rest."""
        # The first page failed: nothing was covered, and the next walk starts as this one did.
        if span.before is None and reached is None:
            return
        before = span.before if reached is None else reached + 1.0
        oldest = min(after, self.gap.after) if self.gap and self.gap.after is not None else after
        self.until, self.gap = until, CreatedBetween(oldest, before)


def _lowest(reached: float | None, jobs: Sequence[TrainingJob]) -> float | None:
    """Return the earliest creation time among the jobs and the one reached before."""
    times = (reached, *(job.created for job in jobs))
    return min((time for time in times if time is not None), default=None)
