"""Call any service of AWS in one account and region, with limits to rate, number and time, and one kind of error."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import xform_name

from exporter.aws.date import AwsClock
from exporter.aws.errors import api_error, was_received
from exporter.aws.rates import RateLimiters
from exporter.clock import Clock
from exporter.polling.api import Answer, ApiError, Calls

# An attempt, the SDK's two retries, and its pauses between them.
_ATTEMPTS = 4


class InFlight:
    """Bound the calls in flight over all targets. A client whose last call timed out takes one of the `hanging`
    places, so that targets that hang wait for each other only."""

    def __init__(self, answering: int, hanging: int) -> None:
        self.answering, self.hanging = asyncio.Semaphore(answering), asyncio.Semaphore(hanging)


class Client:
    """Calls the operations of one service by their names, as AWS's documentation spells them. `sdk` is an open client
    of the SDK, from `Sessions.client`; `calls` counts what that one cannot hear of."""

    def __init__(self, sdk: Any, calls: Calls, limiters: RateLimiters, in_flight: InFlight, clock: Clock) -> None:
        self._sdk, self.calls, self._clock = sdk, calls, clock
        self._limiters, self._in_flight = limiters, in_flight
        self._place = in_flight.answering
        self._here = asyncio.Semaphore(limiters.limits.max_concurrency)
        self._patience = _ATTEMPTS * limiters.limits.timeout
        self._aws_clock = AwsClock(clock.time(), clock.monotonic())
        self._date: str | None = None

    def now(self) -> float:
        """Return AWS's time by its last answer, in Unix seconds."""
        return self._aws_clock.now(self._clock.monotonic())

    def doubts_now(self) -> bool:
        """Return whether answers contradict the machine's clock, and it is not decided yet which of them is right."""
        return self._aws_clock.doubtful

    async def call(self, operation: str, parameters: Mapping[str, Any], *, listing: str = "") -> Answer:
        """Call an operation when its turn has come, and return the answer as the JSON that it is. `listing` names a
        list that must be in it: an answer without one is broken, and does not say that there is nothing. Raises
        ApiError."""
        method = getattr(self._sdk, xform_name(operation))
        async with self._here:
            await self._limiters.wait(operation)
            async with self._place:
                try:
                    async with asyncio.timeout(self._patience):
                        answer: dict[str, Any] = await method(**parameters)
                    if listing and not isinstance(answer.get(listing), list):
                        raise ApiError(operation, "InvalidResponse")
                except Exception as error:
                    failure = self._failure(operation, error)
                    raise failure from error
        self._place = self._in_flight.answering
        self._set_clock(answer.pop("ResponseMetadata", {}))
        return answer

    def _failure(self, operation: str, error: Exception) -> ApiError:
        failure = api_error(operation, error)
        if not was_received(operation, error):
            self.calls.failed(failure.operation, failure.code)
        self._place = self._in_flight.hanging if failure.code == "Timeout" else self._in_flight.answering
        return failure

    def _set_clock(self, metadata: Mapping[str, Any]) -> None:
        """Take the date of an answer. Times of jobs are AWS's, and so is the clock they are compared with. A date has
        no fractions of a second: the first answer with a new one says most."""
        date = metadata.get("HTTPHeaders", {}).get("date")
        if date == self._date:
            return
        self._date = date
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self._aws_clock.heard(told, self._clock.time(), self._clock.monotonic())


def with_token(parameters: Mapping[str, Any], token: str | None) -> Mapping[str, Any]:
    """Return the parameters of the page that `token` names; None: of the first one."""
    return parameters if token is None else {**parameters, "NextToken": token}


def token_of(answer: Answer) -> str | None:
    """Return the token of the next page; None where there is none."""
    token = answer.get("NextToken")
    return token if isinstance(token, str) and token else None


def objects(items: list[object]) -> list[dict[str, Any]]:
    """Return what of a list can be an entry at all."""
    return [item for item in items if isinstance(item, dict)]
