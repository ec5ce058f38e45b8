"""Parses pages of jobs, so that discovery handles records whichever operation lists the jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.polling.api import LIST, Answer, Api, CreatedBetween, JobPage
from exporter.training.job import TrainingJob


class RecordPage(NamedTuple):
    """The jobs of a page that could be parsed, the NextToken (None on the last page), and the operation."""

    jobs: Sequence[TrainingJob]
    next_token: str | None
    operation: str = LIST


class Listing:
    """Lists the jobs of one target. `parse` returns the record of a JSON object, or None if it is no job. Every method
    raises ApiError."""

    def __init__(self, api: Api, parse: Callable[[Answer], TrainingJob | None]) -> None:
        self._api, self._parse = api, parse

    async def recent(self, span: CreatedBetween, token: str | None) -> RecordPage:
        """List jobs by creation time, newest first, without lag."""
        return self._parsed(await self._api.list_jobs(span, token))

    async def history(self, span: CreatedBetween, token: str | None) -> RecordPage:
        """Search jobs by creation time, newest first, in the index, which may lag by some minutes."""
        return self._parsed(await self._api.search_created(span, token))

    async def active(self, token: str | None) -> RecordPage:
        """Search jobs that have not ended, in the index."""
        return self._parsed(await self._api.search_active(token))

    def _parsed(self, page: JobPage) -> RecordPage:
        jobs = [job for job in map(self._parse, page.jobs) if job is not None]
        return RecordPage(jobs, page.next_token, page.operation)
