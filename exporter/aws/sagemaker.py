"""SageMaker in one account and region: the operations the exporter calls, at their pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from exporter.aws.date import AwsClock
from exporter.aws.errors import api_error, is_gone, was_received
from exporter.aws.pace import Pace
from exporter.clock import Clock
from exporter.polling.api import DESCRIBE, LIST, SEARCH, TAGS, Answer, ApiError, Calls, CreatedBetween, JobPage, TagPage
from exporter.polling.paging import pages

# Of Search, a page of the first size may be larger than what is read of an answer.
_PAGE, _SMALL_PAGE = 100, 10
_NEWEST_FIRST = {"SortBy": "CreationTime", "SortOrder": "Descending"}
_ACTIVE = [{"Name": "TrainingJobStatus", "Operator": "In", "Value": "InProgress,Stopping"}]


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a second by operation, requests at a time, and the seconds an attempt may take; of one target."""

    list_rps: float
    describe_rps: float
    search_rps: float
    max_concurrency: int
    timeout: float


class Paces:
    """The pace of each operation in one target. All who poll the target share it: its limits hold for them together."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        per_describe = Pace(limits.describe_rps, clock)
        self._paces = {
            LIST: Pace(limits.list_rps, clock),
            SEARCH: Pace(limits.search_rps, clock),
            DESCRIBE: per_describe,
            TAGS: per_describe,
        }

    async def turn(self, operation: str) -> None:
        """Wait for the next turn of an operation."""
        await self._paces[operation].turn()


class SageMaker:
    """An Api over an open client. `everyone` bounds what is in flight over all targets, `hanging` over those whose
    last call was not answered in time: they wait for each other only."""

    def __init__(
        self,
        client: Any,
        calls: Calls,
        limits: Limits,
        clock: Clock,
        everyone: asyncio.Semaphore,
        hanging: asyncio.Semaphore | None = None,
        paces: Paces | None = None,
    ) -> None:
        self._client, self._calls, self._clock = client, calls, clock
        self._everyone, self._hanging = everyone, hanging or everyone
        self._place = everyone
        self._here = asyncio.Semaphore(limits.max_concurrency)
        # Two attempts more, and the SDK's pauses between them.
        self._patience = 4 * limits.timeout
        self._paces = paces or Paces(limits, clock)
        self._aws_clock = AwsClock(clock.time(), clock.monotonic())
        self._date: str | None = None
        self._search_page = _PAGE

    def now(self) -> float:
        return self._aws_clock.now(self._clock.monotonic())

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        parameters: dict[str, Any] = {"MaxResults": _PAGE, **_NEWEST_FIRST}
        if span.after is not None:
            parameters["CreationTimeAfter"] = span.after
        if span.before is not None:
            parameters["CreationTimeBefore"] = span.before
        answer = await self._call(
            LIST, self._client.list_training_jobs, _with_token(parameters, token), "TrainingJobSummaries"
        )
        return JobPage(_objects(answer["TrainingJobSummaries"]), _token(answer))

    async def search_active(self, token: str | None) -> JobPage:
        return await self._search(_ACTIVE, token)

    async def search_created(self, span: CreatedBetween, token: str | None) -> JobPage:
        filters = []
        if span.after is not None:
            filters.append(_created("GreaterThanOrEqualTo", span.after))
        if span.before is not None:
            filters.append(_created("LessThanOrEqualTo", span.before))
        return await self._search(filters, token)

    async def describe(self, name: str) -> Answer | None:
        try:
            return await self._call(DESCRIBE, self._client.describe_training_job, {"TrainingJobName": name})
        except ApiError as error:
            if isinstance(error.__cause__, ClientError) and is_gone(error.__cause__.response.get("Error")):
                return None
            raise

    async def tags(self, arn: str) -> list[Answer]:
        async def fetch(token: str | None) -> TagPage:
            answer = await self._call(TAGS, self._client.list_tags, _with_token({"ResourceArn": arn}, token), "Tags")
            return TagPage(_objects(answer["Tags"]), _token(answer))

        return [tag async for page in pages(fetch, self._calls.refused) for tag in page.tags]

    async def _search(self, filters: list[dict[str, str]], token: str | None) -> JobPage:
        parameters = {
            "Resource": "TrainingJob",
            "SearchExpression": {"Filters": filters},
            "MaxResults": self._search_page,
            **_NEWEST_FIRST,
        }
        try:
            answer = await self._call(SEARCH, self._client.search, _with_token(parameters, token), "Results")
        except ApiError as error:
            if error.code != "AnswerTooLarge" or self._search_page == _SMALL_PAGE:
                raise
            self._search_page = _SMALL_PAGE
            return await self._search(filters, token)
        records = [record.get("TrainingJob") for record in _objects(answer["Results"])]
        return JobPage([record for record in records if isinstance(record, dict)], _token(answer), SEARCH)

    async def _call(
        self, operation: str, method: Any, parameters: Mapping[str, Any], listing: str = ""
    ) -> Mapping[str, Any]:
        """One operation, when its turn has come; `listing` names a list that must be in its answer: an answer without
        it is broken, and does not say that there is nothing. Raises ApiError."""
        async with self._here:
            await self._paces.turn(operation)
            async with self._place:
                try:
                    async with asyncio.timeout(self._patience):
                        answer: dict[str, Any] = await method(**parameters)
                    if listing and not isinstance(answer.get(listing), list):
                        raise ApiError(operation, "InvalidResponse")
                except Exception as error:
                    failure = api_error(operation, error)
                    if not was_received(operation, error):
                        self._calls.failed(failure.operation, failure.code)
                    self._place = self._hanging if failure.code == "Timeout" else self._everyone
                    raise failure from error
        self._place = self._everyone
        self._set_clock(answer.pop("ResponseMetadata", {}))
        return answer

    def _set_clock(self, metadata: Mapping[str, Any]) -> None:
        """Times of jobs are AWS's: so is the clock they are compared with. A date has no parts of a second: the first
        answer of each says most."""
        date = metadata.get("HTTPHeaders", {}).get("date")
        if date == self._date:
            return
        self._date = date
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self._aws_clock.heard(told, self._clock.time(), self._clock.monotonic())


def _with_token(parameters: Mapping[str, Any], token: str | None) -> Mapping[str, Any]:
    return parameters if token is None else {**parameters, "NextToken": token}


def _token(answer: Mapping[str, Any]) -> str | None:
    token = answer.get("NextToken")
    return token if isinstance(token, str) and token else None


def _objects(items: list[object]) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)]


def _created(operator: str, when: float) -> dict[str, str]:
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"Name": "CreationTime", "Operator": operator, "Value": text}
