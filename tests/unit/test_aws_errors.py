"""What the SDK raises and AWS answers becomes one code each; what is no answer is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from exporter.aws.answers import answer_parsers
from exporter.aws.errors import api_error, code_of, is_gone, was_received
from exporter.polling.api import ApiError


def _client_error(code: str, message: str, operation: str) -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "operation", "code"),
    [
        (_client_error("AccessDenied", "User: arn:aws:iam::1:role/x", "AssumeRole"), "AssumeRole", "AccessDenied"),
        (_client_error("SomethingElse", "Rate exceeded", "Search"), "Search", "ThrottlingException"),
        (exceptions.NoCredentialsError(), "Search", "NoCredentials"),
        (exceptions.ProfileNotFound(profile="x"), "Search", "NoSuchProfile"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "Search", "Timeout"),
        (TimeoutError(), "Search", "Timeout"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "Search", "EndpointConnectionError"),
        (exceptions.ConnectionClosedError(endpoint_url="http://x"), "Search", "ConnectionError"),
        (ResponseParserError("x"), "Search", "InvalidResponse"),
        (KeyError("Account"), "Search", "KeyError"),
    ],
)
def test_each_failure_has_one_code_and_says_nothing_of_aws(error: Exception, operation: str, code: str) -> None:
    failure = api_error("Search", error)
    assert (failure.operation, failure.code) == (operation, code)
    assert str(failure).startswith(f"{operation}: {code}: ")
    assert "arn:" not in str(failure)
    assert "http://" not in str(failure)


def test_a_failure_of_ours_stays_as_it_is() -> None:
    failure = ApiError("Search", "NoRegion")
    assert api_error("ListTags", failure) is failure


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        ({"Code": "ResourceNotFound"}, True),
        ({"Code": "ValidationException", "Message": "Requested resource not found."}, True),
        ({"Code": "ValidationException", "Message": "1 validation error detected"}, False),
        (None, False),
    ],
)
def test_a_job_that_is_gone_is_told_from_a_bad_request(error: object, gone: bool) -> None:
    assert is_gone(error) is gone


def test_an_error_without_a_code_has_one() -> None:
    assert code_of({}) == code_of(None) == "UnknownError"


def test_failures_on_the_way_are_not_those_that_were_received() -> None:
    assert was_received("Search", _client_error("X", "", "Search"))
    assert not was_received("Search", _client_error("X", "", "AssumeRole"))
    assert was_received("Search", exceptions.ReadTimeoutError(endpoint_url="http://x"))
    assert not was_received("Search", TimeoutError())


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"TrainingJobName": "a'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    parser: Any = answer_parsers().create_parser("json")
    with pytest.raises(ResponseParserError):
        parser._handle_json_body(body, None)


def test_json_with_nan_is_read() -> None:
    parser: Any = answer_parsers().create_parser("json")
    answer = parser._handle_json_body(b'{"Value": NaN, "Other": Infinity}', None)
    assert math.isnan(answer["Value"])
    assert answer["Other"] == math.inf
