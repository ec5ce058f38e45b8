"""Calls a service of AWS in one account and region, within limits on rate, concurrency and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from botocore import xform_name

from exporter.aws.date import AwsClock
from exporter.aws.errors import api_error, was_received
from exporter.aws.rates import RateLimiters
from exporter.clock import Clock
from exporter.polling.api import Answer, ApiError, Calls
from exporter.polling.paging import pages

# A call may take so many timeouts: three attempts of the SDK, and its backoff between them.
_TIMEOUTS_PER_CALL = 4


class InFlight:
    """Limits the calls in flight over all targets.

    A client takes one of the `answering` slots. After a call that timed out it takes one of the `hanging` slots
    instead, so that targets that do not respond cannot use up the slots of those that do.
    """

    def __init__(self, answering: int, hanging: int) -> None:
        self.answering, self.hanging = asyncio.Semaphore(answering), asyncio.Semaphore(hanging)


class _Page(NamedTuple):
    items: Sequence[object]
    next_token: str | None
    operation: str


class Client:
    """Calls operations of one service by their names in AWS's API reference.

    `sdk` is an open client from `Sessions.client`, which counts its own requests and failures in `calls`. This class
    adds the failures that the SDK client cannot observe.
    """

    def __init__(self, sdk: Any, calls: Calls, limiters: RateLimiters, in_flight: InFlight, clock: Clock) -> None:
        self._sdk, self.calls, self._clock = sdk, calls, clock
        self._limiters, self._in_flight = limiters, in_flight
        self._slots = in_flight.answering
        self._own_slots = asyncio.Semaphore(limiters.limits.max_concurrency)
        self._call_timeout = _TIMEOUTS_PER_CALL * limiters.limits.timeout
        self._aws_clock = AwsClock(clock.time(), clock.monotonic())
        self._date: str | None = None

    def now(self) -> float:
        """Return AWS's time in Unix seconds, estimated from the Date headers of its responses."""
        return self._aws_clock.now(self._clock.monotonic())

    def doubts_now(self) -> bool:
        """Return whether responses contradict the machine's clock and it is not yet known which one is right."""
        return self._aws_clock.doubtful

    async def call(self, operation: str, parameters: Mapping[str, Any], *, listing: str = "") -> Answer:
        """Call an operation within the limits, and return the JSON object of the response.

        `listing` names a list that the response must contain. Without it the response is invalid rather than an empty
        page: taking it for one would make jobs disappear. Raises ApiError.
        """
        method = getattr(self._sdk, xform_name(operation))
        # The limits of the target come first: a call that waits for them must not hold a slot that all targets share.
        async with self._own_slots:
            await self._limiters.wait(operation)
            async with self._slots:
                try:
                    async with asyncio.timeout(self._call_timeout):
                        answer: dict[str, Any] = await method(**parameters)
                    if listing and not isinstance(answer.get(listing), list):
                        raise ApiError(operation, "InvalidResponse")
                except Exception as error:
                    failure = self._failure(operation, error)
                    raise failure from error
        self._slots = self._in_flight.answering
        self._update_clock(answer.pop("ResponseMetadata", {}))
        return answer

    async def pages(
        self, operation: str, parameters: Mapping[str, Any], listing: str
    ) -> AsyncGenerator[Sequence[object]]:
        """Yield the list `listing` of each page of an operation, from the first to the last one. Raises ApiError."""

        async def fetch(token: str | None) -> _Page:
            answer = await self.call(operation, with_token(parameters, token), listing=listing)
            return _Page(answer[listing], token_of(answer), operation)

        async for page in pages(fetch, self.calls.refused):
            yield page.items

    def _failure(self, operation: str, error: Exception) -> ApiError:
        failure = api_error(operation, error)
        # What the SDK client observed is counted already.
        if not was_received(operation, error):
            self.calls.failed(failure.operation, failure.code)
        self._slots = self._in_flight.hanging if failure.code == "Timeout" else self._in_flight.answering
        return failure

    def _update_clock(self, metadata: Mapping[str, Any]) -> None:
        """Update the estimate of AWS's time from the Date header of a response."""
        date = metadata.get("HTTPHeaders", {}).get("date")
        # A date has whole seconds, so the first response with a new one is the most precise.
        if date == self._date:
            return
        self._date = date
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self._aws_clock.heard(told, self._clock.time(), self._clock.monotonic())


def with_token(parameters: Mapping[str, Any], token: str | None) -> Mapping[str, Any]:
    """Return the parameters that request the page after `token`, or the first page for None."""
    return parameters if token is None else {**parameters, "NextToken": token}


def token_of(answer: Answer) -> str | None:
    """Return the NextToken of a response; None on the last page."""
    token = answer.get("NextToken")
    return token if isinstance(token, str) and token else None


def objects(items: Iterable[object]) -> list[dict[str, Any]]:
    """Return the JSON objects in a list. Anything else in it cannot be an entry and is dropped."""
    return [item for item in items if isinstance(item, dict)]
