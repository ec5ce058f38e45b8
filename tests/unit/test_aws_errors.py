"""Test that each exception of the SDK and error of AWS has one code, and that invalid responses are refused."""

from __future__ import annotations

import errno
import math
import socket
from typing import Any

import pytest
from aiohttp import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from botocore import exceptions
from botocore.parsers import ResponseParserError

from exporter.aws.answers import answer_parsers
from exporter.aws.causes import AnswerTooLarge, LocalError
from exporter.aws.errors import api_error, code_of, is_gone, was_received
from exporter.polling.api import ApiError, Calls


def _client_error(code: str, message: str, operation: str) -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _made_of(error: OSError) -> exceptions.EndpointConnectionError:
    """Return an exception of the SDK caused by one of its HTTP client, caused by one of the system."""
    key = ConnectionKey("x", 443, True, True, None, None, None)
    of_http = ClientConnectorError(key, error)
    of_http.__cause__ = error
    return exceptions.EndpointConnectionError(endpoint_url="http://x", error=of_http)


@pytest.mark.parametrize(
    ("error", "operation", "code"),
    [
        (_client_error("AccessDenied", "User: arn:aws:iam::1:role/x", "AssumeRole"), "AssumeRole", "AccessDenied"),
        (_client_error("SomethingElse", "Rate exceeded", "Search"), "Search", "ThrottlingException"),
        (
            _client_error("InvalidSignatureException", "Signature expired: 2026 is now earlier than", "Search"),
            "Search",
            "RequestTimeTooSkewed",
        ),
        (
            _client_error("SignatureDoesNotMatch", "Signature not yet current: 2026", "AssumeRole"),
            "AssumeRole",
            "RequestTimeTooSkewed",
        ),
        (
            _client_error("InvalidSignatureException", "The request signature", "Search"),
            "Search",
            "InvalidSignatureException",
        ),
        (_client_error("x" * 65, "", "Search"), "Search", "UnknownError"),
        (_client_error("two\nlines", "", "Search"), "Search", "UnknownError"),
        (exceptions.NoCredentialsError(), "Search", "NoCredentials"),
        (exceptions.ProfileNotFound(profile="x"), "Search", "NoSuchProfile"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "Search", "Timeout"),
        (TimeoutError(), "Search", "Timeout"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "Search", "EndpointConnectionError"),
        (exceptions.ConnectionClosedError(endpoint_url="http://x"), "Search", "ConnectionError"),
        (_made_of(ConnectionRefusedError(errno.ECONNREFUSED, "x")), "Search", "ConnectionRefused"),
        (_made_of(OSError(errno.EHOSTUNREACH, "x")), "Search", "NetworkUnreachable"),
        (_made_of(OSError(errno.ENETUNREACH, "x")), "Search", "NetworkUnreachable"),
        (_made_of(socket.gaierror(socket.EAI_NONAME, "x")), "Search", "NameNotResolved"),
        (_made_of(ConnectionResetError(errno.ECONNRESET, "x")), "Search", "ConnectionError"),
        (exceptions.HTTPClientError(error=LocalError("CaBundle", "x")), "Search", "CaBundle"),
        (exceptions.HTTPClientError(error=RuntimeError("http://x")), "Search", "ConnectionError"),
        (exceptions.ProxyConnectionError(proxy_url="http://x"), "Search", "ProxyError"),
        (exceptions.SSLError(endpoint_url="http://x", error=ValueError()), "Search", "TlsError"),
        (exceptions.LoginRefreshRequired(), "Search", "LoginExpired"),
        (exceptions.UnauthorizedSSOTokenError(), "Search", "SsoLoginExpired"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="arn:x"), "Search", "SsoLoginExpired"),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="arn:x"), "Search", "CredentialsUnavailable"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/no/file"), "Search", "UnreadableFile"),
        (AnswerTooLarge(), "Search", "AnswerTooLarge"),
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
    assert was_received("Search", exceptions.EndpointConnectionError(endpoint_url="http://x"))
    assert was_received("Search", AnswerTooLarge())
    assert not was_received("Search", TimeoutError())


def test_codes_that_somebody_invents_do_not_become_ever_more_series() -> None:
    calls = Calls()
    for number in range(1000):
        calls.failed("Search", f"Invented{number}")
    calls.failed("Search", "Invented7")
    assert len(calls.errors) == 201
    assert calls.errors["Search", "Other"] == 800
    assert calls.errors["Search", "Invented7"] == 2


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
