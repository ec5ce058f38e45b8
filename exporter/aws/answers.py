"""Parses successful AWS responses as plain JSON.

botocore builds every member of its service model and parses every timestamp, which is most of the CPU of a poll. The
exporter reads only a few fields, so it takes the JSON object as it is. botocore still parses error responses.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from botocore.parsers import ResponseParser, ResponseParserError


class _PlainJSONParser(AioJSONParser):
    # Overrides the step of botocore that maps a body onto `shape`, the service model.
    def _handle_json_body(self, raw_body: bytes, shape: object) -> dict[str, Any]:
        try:
            answer = orjson.loads(raw_body)
        except orjson.JSONDecodeError:
            answer = _parse_leniently(raw_body)
        if not isinstance(answer, dict):
            raise ResponseParserError("the answer is not a JSON object")
        return answer


class _Parsers(AioResponseParserFactory):
    """Creates one shared parser for the JSON protocol. Other protocols keep botocore's: STS answers in XML."""

    def __init__(self) -> None:
        super().__init__()
        self._plain = _PlainJSONParser()

    def create_parser(self, protocol_name: str) -> ResponseParser:
        return self._plain if protocol_name == "json" else super().create_parser(protocol_name)


def answer_parsers() -> AioResponseParserFactory:
    """Return a parser factory for the `response_parser_factory` component of a session."""
    return _Parsers()


def _parse_leniently(raw_body: bytes) -> object:
    """Parse JSON with NaN and Infinity, which final metrics may contain and orjson rejects."""
    try:
        return json.loads(raw_body)
    except ValueError as error:
        raise ResponseParserError("the answer is not JSON") from error
