"""Shows what SDK clients receive: how long each request took, AWS's clock, and whole responses beside AWS's model.

Polling needs none of it and pays nothing for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import botocore
from aiobotocore.client import AioBaseClient

from exporter.aws.sessions import AwsService, Role, Sessions
from exporter.clock import Clock
from exporter.polling.api import Calls

# A key in the request context of botocore, which is shared with botocore's own handlers.
_STARTED = "exporter.observed"
SDK_VERSION = f"botocore {botocore.__version__}"


class Received(NamedTuple):
    """What came back for one request of an operation.

    `seconds` passed since it was signed. `ahead` is by how many seconds AWS's clock is ahead of this machine's, None
    without a date; it is exact to half a second and half of `seconds`. `answer` is the JSON object of a success, None
    for anything else, and `shape` the operation's output in botocore's service model.
    """

    operation: str
    seconds: float
    ahead: float | None
    answer: Mapping[str, Any] | None
    shape: Any


class Observer(Calls, ABC):
    """Counters of requests that are told of each response too."""

    @abstractmethod
    def received(self, what: Received) -> None:
        """Take note of a response, or of a request that broke."""


class ObservedSessions(Sessions):
    """Opens clients that tell their counters what they receive, if these are an Observer."""

    def __init__(self, timeout: float, connections: int, clock: Clock) -> None:
        super().__init__(timeout, connections, clock.monotonic)
        self._clock = clock

    @asynccontextmanager
    async def client(self, service: AwsService, region: str, role: Role | None, calls: Calls) -> AsyncIterator[Any]:
        async with super().client(service, region, role, calls) as sdk:
            if isinstance(calls, Observer):
                _observe(sdk, calls, self._clock)
            yield sdk


def _observe(sdk: AioBaseClient, observer: Observer, clock: Clock) -> None:
    model = sdk.meta.service_model

    def created(request: Any, **_: Any) -> None:
        request.context[_STARTED] = clock.monotonic()

    def received(event_name: str, context: dict[str, Any], parsed_response: Any = None, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        seconds = clock.monotonic() - context[_STARTED]
        parsed = parsed_response if isinstance(parsed_response, dict) else {}
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        shown = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        answer = shown if parsed and "Error" not in parsed else None
        shape = model.operation_model(operation).output_shape
        observer.received(Received(operation, seconds, _ahead(date, clock.time() - seconds / 2), answer, shape))

    service = model.service_id.hyphenize()
    sdk.meta.events.register(f"request-created.{service}", created)
    sdk.meta.events.register(f"response-received.{service}", received)


def _ahead(date: object, wall: float) -> float | None:
    """Return by how many seconds a Date header is ahead of a time of this machine."""
    try:
        # A date is cut to whole seconds: half a second later is right on average.
        return parsedate_to_datetime(str(date)).timestamp() + 0.5 - wall
    except (TypeError, ValueError, OverflowError):
        return None
