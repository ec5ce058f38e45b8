"""The operations of SageMaker that the exporter calls, in one account and region."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from exporter.aws.client import Client, objects, token_of, with_token
from exporter.aws.errors import is_gone
from exporter.aws.rates import RateLimits
from exporter.aws.sessions import AwsService
from exporter.polling.api import DESCRIBE, LIST, SEARCH, TAGS, Answer, ApiError, CreatedBetween, JobPage

# "No such job" is an answer rather than a failure: jobs are deleted between a listing and a describe.
SAGEMAKER = AwsService("sagemaker", is_answer=is_gone)
# MaxResults. A Search page of 100 jobs with unusually large descriptions can exceed the limit on response bodies.
_PAGE, _SMALL_PAGE = 100, 10
# Discovery relies on the order: a walk that fails resumes below the oldest job that it has seen.
_NEWEST_FIRST = {"SortBy": "CreationTime", "SortOrder": "Descending"}
_ACTIVE = [{"Name": "TrainingJobStatus", "Operator": "In", "Value": "InProgress,Stopping"}]


def rate_limits(
    list_rps: float, describe_rps: float, search_rps: float, max_concurrency: int, timeout: float
) -> RateLimits:
    """Return the limits of SageMaker in one target; rates are in calls per second.

    ListTags shares the limit of DescribeTrainingJob: a job that is described may need its tags too.
    """
    per_second = {(LIST,): list_rps, (SEARCH,): search_rps, (DESCRIBE, TAGS): describe_rps}
    return RateLimits(per_second, max_concurrency, timeout)


class SageMaker:
    """Implements `exporter.polling.api.Api` with a client of SageMaker."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._search_page = _PAGE

    def now(self) -> float:
        return self._client.now()

    def doubts_now(self) -> bool:
        return self._client.doubts_now()

    async def list_jobs(self, span: CreatedBetween, token: str | None) -> JobPage:
        parameters: dict[str, Any] = {"MaxResults": _PAGE, **_NEWEST_FIRST}
        if span.after is not None:
            parameters["CreationTimeAfter"] = span.after
        if span.before is not None:
            parameters["CreationTimeBefore"] = span.before
        answer = await self._client.call(LIST, with_token(parameters, token), listing="TrainingJobSummaries")
        return JobPage(objects(answer["TrainingJobSummaries"]), token_of(answer))

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
            return await self._client.call(DESCRIBE, {"TrainingJobName": name})
        except ApiError as error:
            if isinstance(error.__cause__, ClientError) and is_gone(error.__cause__.response.get("Error")):
                return None
            raise

    async def tags(self, arn: str) -> list[Answer]:
        return [tag async for page in self._client.pages(TAGS, {"ResourceArn": arn}, "Tags") for tag in objects(page)]

    async def _search(self, filters: list[dict[str, str]], token: str | None) -> JobPage:
        parameters = {
            "Resource": "TrainingJob",
            "SearchExpression": {"Filters": filters},
            "MaxResults": self._search_page,
            **_NEWEST_FIRST,
        }
        try:
            answer = await self._client.call(SEARCH, with_token(parameters, token), listing="Results")
        except ApiError as error:
            if error.code != "AnswerTooLarge" or self._search_page == _SMALL_PAGE:
                raise
            # Keep the smaller page from now on: the jobs that made this one too large are likely to come again.
            self._search_page = _SMALL_PAGE
            return await self._search(filters, token)
        records = [record.get("TrainingJob") for record in objects(answer["Results"])]
        return JobPage(objects(records), token_of(answer), SEARCH)


def _created(operator: str, when: float) -> dict[str, str]:
    """Return a filter of Search for CreationTime, with the time in ISO 8601, as Search requires."""
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"Name": "CreationTime", "Operator": operator, "Value": text}
