"""Answers as the JSON they are. botocore would build every member of its model and parse every timestamp, which is
most of the CPU of a poll; the exporter reads the few fields it wants itself. Errors stay botocore's business."""

from __future__ import annotations

import json
from typing import Any

import orjson
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from botocore.parsers import ResponseParser, ResponseParserError


class _PlainJSONParser(AioJSONParser):
    def _handle_json_body(self, raw_body: bytes, shape: object) -> dict[str, Any]:
        try:
            answer = orjson.loads(raw_body)
        except orjson.JSONDecodeError:
            answer = _lenient(raw_body)
        if not isinstance(answer, dict):
            raise ResponseParserError("the answer is no JSON object")
        return answer


class _Parsers(AioResponseParserFactory):
    """One parser for all answers of the JSON protocol; STS speaks XML, which is left as it is."""

    def __init__(self) -> None:
        super().__init__()
        self._plain = _PlainJSONParser()

    def create_parser(self, protocol_name: str) -> ResponseParser:
        return self._plain if protocol_name == "json" else super().create_parser(protocol_name)


def answer_parsers() -> AioResponseParserFactory:
    """For a session's `response_parser_factory` component."""
    return _Parsers()


def _lenient(raw_body: bytes) -> object:
    """JSON with NaN and Infinity, which metrics may have and orjson refuses."""
    try:
        return json.loads(raw_body)
    except ValueError as error:
        raise ResponseParserError("the answer is no JSON") from error
