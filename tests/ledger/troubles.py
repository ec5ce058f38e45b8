"""Simulate SageMaker in a region with every failure that a call can have.

Responses pass through the exporter's own parser, and errors become the SDK's exceptions.
"""

from __future__ import annotations

import asyncio
import math
import random
from email.utils import formatdate
from typing import Any

import orjson
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.model import Shape

from exporter.aws.answers import answer_parsers
from exporter.ledger.store import Target
from exporter.polling.api import DESCRIBE, LIST, SEARCH
from exporter.simulator.errors import ApiError
from exporter.simulator.faults import Call, Kind, error_of
from tests.ledger.fates import Oddities, Setting
from tests.sagemaker import Region
from tests.virtual_time import Time

_URL = "https://api.sagemaker.eu-west-1.amazonaws.com/"
_ERRORS = (Kind.THROTTLE, Kind.SERVER_ERROR, Kind.UNAVAILABLE, Kind.EXPIRED)
_BODIES = (Kind.TRUNCATED, Kind.NOT_JSON, Kind.EMPTY)
_WIRE = ("hangs", "reset", "cut", "unreachable", "read timeout")
_TROUBLES = (*_ERRORS, *_BODIES, *_WIRE)
_PAGE = 7
_WRONG_DATES = (-3600.0, 3600.0, 100 * 86400.0)
# The exporter's parser reads no shape, but botocore's error parser asks whether there is one.
_SHAPE = Shape("Answer", {"type": "structure"})


class FaultyRegion(Region):
    """Respond with failures.

    `faulty` is the share of calls that fail, `denied` the operations that no policy allows. `odd` responses are drawn
    separately; their denials end at `allowed_from`.
    """

    def __init__(self, target: Target, time: Time, chance: random.Random, setting: Setting, seed: int) -> None:
        super().__init__(target=target, time=time, consistency=setting.consistency)
        self.page, self.faulty, self.allowed_from = _PAGE, setting.faulty, math.inf
        self.odd, self._odd_chance = Oddities.drawn(seed), random.Random(f"odd answers {seed}")
        self._denied, self._chance = setting.denied, chance
        self._parser = answer_parsers().create_parser("json")

    async def respond(self, operation: str, asked: dict[str, Any], name: str) -> Any:
        trouble = self._chance.choice(_TROUBLES) if self._chance.random() < self.faulty else None
        if operation in self._denied or self._denies(operation, name):
            trouble = Kind.ACCESS_DENIED
        await self._travel()
        await _go_wrong_before(trouble)
        status, body = self._answer(operation, asked, trouble if isinstance(trouble, Kind) else None)
        await self._travel()
        if trouble == "cut":
            raise exceptions.ResponseStreamingError(error="payload is not completed")
        return await self._parsed(operation, status, body)

    async def _travel(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.4))

    def _answer(self, operation: str, asked: dict[str, Any], kind: Kind | None) -> tuple[int, bytes]:
        try:
            if kind and (error := error_of(kind, Call(*self.target, operation))):
                raise error
            body = orjson.dumps(self._oddly(operation, asked, self.perform(operation, asked)))
        except ApiError as error:
            return error.status, orjson.dumps({"__type": error.code, "message": error.message})
        return 200, _damaged(body, kind)

    async def _parsed(self, operation: str, status: int, body: bytes) -> Any:
        wrong = self._odd_chance.choice(_WRONG_DATES) if self._strikes(self.odd.wrong_dates) else 0.0
        headers = {"Date": formatdate(self.time.now + wrong, usegmt=True)}
        parsed = await self._parser.parse({"status_code": status, "headers": headers, "body": body}, _SHAPE)
        if status >= 300:
            raise ClientError(parsed, operation)
        return parsed

    def _denies(self, operation: str, name: str) -> bool:
        return self.time.now < self.allowed_from and self.odd.denies(operation, name)

    def _oddly(self, operation: str, asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        names = [one.name for one in self.jobs.all()]
        # The second job of a name may be described before it is listed. Then its identity has this time.
        if operation == DESCRIBE and names.count(answer["TrainingJobName"]) == 1:
            return {**answer, "CreationTime": answer["CreationTime"] + self.odd.jitter}
        if operation in (LIST, SEARCH) and "NextToken" in asked and self._strikes(self.odd.repeated_tokens):
            return {**answer, "NextToken": asked["NextToken"]}
        return answer

    def _strikes(self, share: float) -> bool:
        return share > 0 and self._odd_chance.random() < share


async def _go_wrong_before(trouble: Kind | str | None) -> None:
    if trouble == "hangs":
        await asyncio.sleep(math.inf)
    if trouble == "reset":
        raise exceptions.ConnectionClosedError(endpoint_url=_URL)
    if trouble == "unreachable":
        raise exceptions.EndpointConnectionError(endpoint_url=_URL)
    if trouble == "read timeout":
        raise exceptions.ReadTimeoutError(endpoint_url=_URL)


def _damaged(body: bytes, kind: Kind | None) -> bytes:
    if kind is Kind.TRUNCATED:
        return body[: len(body) // 2]
    if kind is Kind.NOT_JSON:
        return b"<html><body>Bad gateway</body></html>"
    return b"{}" if kind is Kind.EMPTY else body
