"""Which jobs are there? Walks over creation times, newest first, that lose nothing when they break off.

Status and modification are no filters here: the service cuts pages before it filters, so both walk the whole history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from exporter.polling.api import Answer, ApiError, CreatedBetween, JobPage

Source = Callable[[CreatedBetween, str | None], Awaitable[JobPage]]
# Listings may show a new job a little late, and clocks differ.
OVERLAP = 600.0
# The search index shows it later still.
_RECENT = 900.0


class Found(NamedTuple):
    """A page of a walk and the source it came from."""

    jobs: Sequence[Answer]
    source: Source


class Discovery:
    """`until`: every job created up to then is known, but for those in the `gap` that a broken walk left."""

    def __init__(self, lookback: float, until: float | None) -> None:
        self._lookback = lookback
        self.until = until
        self.gap: CreatedBetween | None = None

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
        newest, begun = self.until, False
        for source, span in spans:
            reached = None
            token = None
            while True:
                try:
                    page = await source(span, token)
                except ApiError:
                    self._broke_off(after, span, reached, newest)
                    raise
                created = [time for time in map(_created, page.jobs) if time is not None]
                reached, newest = _lowest(reached, created), _highest(newest, created)
                if not begun:
                    # The first page has what there is now. The clock is looked at only here: before the first answer
                    # ever it is the machine's.
                    newest, begun = _highest(newest, (clock(),)), True
                yield Found(page.jobs, source)
                token = page.next_token
                if token is None:
                    break
        self.until, self.gap = newest, None

    def _after(self, now: float, full: bool) -> float:
        floor = now - self._lookback
        if self.until is None:
            return floor
        return min(floor, self.until - OVERLAP) if full else self.until - OVERLAP

    def _broke_off(self, after: float, span: CreatedBetween, reached: float | None, newest: float | None) -> None:
        """What was not walked must be walked later, without beginning anew."""
        if span.before is None and reached is None:
            return
        before = span.before if reached is None else reached + 1.0
        oldest = min(after, self.gap.after) if self.gap and self.gap.after is not None else after
        self.until, self.gap = newest, CreatedBetween(oldest, before)


def _created(job: Answer) -> float | None:
    time = job.get("CreationTime")
    return float(time) if isinstance(time, int | float) and not isinstance(time, bool) else None


def _lowest(one: float | None, others: Sequence[float]) -> float | None:
    return min((t for t in (one, *others) if t is not None), default=None)


def _highest(one: float | None, others: Sequence[float]) -> float | None:
    return max((t for t in (one, *others) if t is not None), default=None)
