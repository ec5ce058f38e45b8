"""Parse pages of jobs before discovery looks at them: what AWS lists becomes records, whichever operation lists it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.polling.api import LIST, Answer, Api, CreatedBetween, JobPage
from exporter.training.job import TrainingJob


class RecordPage(NamedTuple):
    """The jobs of a page that could be read, the token of the next page, and the operation that gave it."""

    jobs: Sequence[TrainingJob]
    next_token: str | None
    operation: str = LIST


class Listing:
    """The listings of one target. `parse` gives the record of an answer, or None where it is none. Every method raises
    ApiError."""

    def __init__(self, api: Api, parse: Callable[[Answer], TrainingJob | None]) -> None:
        self._api, self._parse = api, parse

    async def recent(self, span: CreatedBetween, token: str | None) -> RecordPage:
        """List jobs by creation time, newest first: each of them, as it is now."""
        return self._parsed(await self._api.list_jobs(span, token))

    async def history(self, span: CreatedBetween, token: str | None) -> RecordPage:
        """Search by creation time, newest first, in an index that lags a little."""
        return self._parsed(await self._api.search_created(span, token))

    async def active(self, token: str | None) -> RecordPage:
        """Search for the jobs that have not ended."""
        return self._parsed(await self._api.search_active(token))

    def _parsed(self, page: JobPage) -> RecordPage:
        jobs = [job for job in map(self._parse, page.jobs) if job is not None]
        return RecordPage(jobs, page.next_token, page.operation)
