"""What went wrong, from the SDK's exceptions and AWS's answers to one code each, and what to do about it.

To name one more cause, add a row to `_CAUSES`.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
from botocore import exceptions
from botocore.parsers import ResponseParserError

from exporter.polling.api import ApiError

_GONE = ("ResourceNotFound", "ResourceNotFoundException")
_GONE_MESSAGE = "Requested resource not found"
# AWS says so within the code of a wrong signature.
_SKEWED = ("Signature expired", "Signature not yet current")
_LONGEST = 200
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)
_ENDPOINT = "AWS_ENDPOINT_URL (also with _SAGEMAKER, _STS or _PRICING, or endpoint_url of the profile)"
# How the libraries begin to say that a URL is wrong.
_NOT_A_URL = ("Invalid endpoint", "Invalid IPv6 URL", "Port ", "netloc ", "Cannot combine AUTH", "Can't combine AUTH")


class LocalError(Exception):
    """Something on this machine that calls cannot be made with. The advice is for the user and holds no secret."""

    def __init__(self, code: str, advice: str) -> None:
        super().__init__(f"{code}: {advice}")
        self.code, self.advice = code, advice


class AnswerTooLarge(exceptions.BotoCoreError):
    """An answer that is not read to its end. Not an HTTPClientError: the SDK would try those again."""

    fmt = "the answer is too large"


class Cause(NamedTuple):
    """What an exception means: one of our codes, and what to do where exporter.polling.api does not say it. `detail`
    gives what the exception itself knows and may be shown; `when` narrows the row to some of the exceptions."""

    kinds: type[BaseException] | tuple[type[BaseException], ...]
    code: str
    advice: str = ""
    detail: Callable[[Any], object] = lambda _: ""
    when: Callable[[Any], bool] = lambda _: True


def _proxy_status(error: Any) -> str:
    status = getattr(getattr(error, "kwargs", {}).get("error"), "status", None)
    return f"it answered {status}" if status else ""


# From the most to the least specific: the first row that fits an exception, or one that it came of, says what it is.
_CAUSES = (
    Cause(
        (
            exceptions.ProxyConnectionError,
            exceptions.InvalidProxiesConfigError,
            aiohttp.ClientProxyConnectionError,
            aiohttp.ClientHttpProxyError,
        ),
        "ProxyError",
        "the proxy of HTTPS_PROXY or HTTP_PROXY cannot be reached or refused the connection; check it, or list the "
        "endpoint in NO_PROXY",
        _proxy_status,
    ),
    Cause(
        ssl.SSLCertVerificationError,
        "CertificateNotTrusted",
        "the certificate of the endpoint is not trusted; if a proxy inspects TLS, or the endpoint is your own, name a "
        "file with its authority in AWS_CA_BUNDLE",
        # aiohttp's own exception of this kind has it inside.
        lambda e: getattr(getattr(e, "certificate_error", e), "verify_message", ""),
    ),
    Cause(
        (ssl.SSLError, exceptions.SSLError, aiohttp.ClientSSLError),
        "TlsError",
        f"no TLS connection can be made; is the endpoint of {_ENDPOINT} or the proxy an HTTPS server?",
    ),
    Cause(
        (
            aiohttp.InvalidURL,
            aiohttp.NonHttpUrlClientError,
            exceptions.EndpointProviderError,
            exceptions.InvalidEndpointConfigurationError,
        ),
        "InvalidEndpoint",
        f"{_ENDPOINT} is not the URL of an endpoint, such as https://host:port",
    ),
    Cause(
        ValueError,
        "InvalidEndpoint",
        f"{_ENDPOINT} is not the URL of an endpoint, such as https://host:port",
        when=lambda e: str(e).startswith(_NOT_A_URL),
    ),
    Cause(
        ValueError,
        "MalformedCredentials",
        "the access key, its secret or the session token holds a line break; correct the credentials",
        when=lambda e: "detected in headers" in str(e),
    ),
    Cause(
        exceptions.InvalidRegionError, "InvalidRegion", "the name of the region is malformed; see targets or AWS_REGION"
    ),
    Cause(
        socket.gaierror,
        "NameNotResolved",
        "the host name of the endpoint or of the proxy cannot be resolved; check the name server, the name of the "
        f"region, and {_ENDPOINT}",
        lambda e: e.strerror,
    ),
    Cause(
        ConnectionRefusedError,
        "ConnectionRefused",
        f"the endpoint refused the connection; check {_ENDPOINT}, and firewalls",
    ),
    Cause(
        OSError,
        "NetworkUnreachable",
        "there is no route to the endpoint; check the network, and whether the subnet has a VPC endpoint or a way out",
        when=lambda e: e.errno in _UNREACHABLE,
    ),
    Cause((exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError, TimeoutError), "Timeout"),
    Cause(
        exceptions.PartialCredentialsError,
        "PartialCredentials",
        "the AWS credentials are incomplete",
        lambda e: f"{e.kwargs['cred_var']} is missing in {e.kwargs['provider']}",
    ),
    Cause((exceptions.NoCredentialsError, exceptions.NoAuthTokenError), "NoCredentials"),
    Cause(
        (exceptions.UnauthorizedSSOTokenError, exceptions.SSOError, exceptions.TokenRetrievalError),
        "SsoLoginExpired",
        "there is no valid SSO login for the profile; run `aws sso login` as the exporter's user, or better use a "
        "role, as a login ends after some hours",
    ),
    Cause(
        exceptions.LoginError,
        "LoginExpired",
        "there is no valid login for the profile; run `aws login` as the exporter's user, or better use a role, as a "
        "login ends after some hours",
    ),
    Cause(
        exceptions.MissingDependencyException,
        "MissingDependency",
        "the profile's kind of login needs the package botocore[crt], which is not installed; use a role instead",
    ),
    Cause(
        exceptions.ConfigParseError,
        "BrokenProfileFile",
        "the AWS configuration or credentials file cannot be parsed; correct it",
        lambda e: e.kwargs["path"],
    ),
    Cause(
        exceptions.ProfileNotFound,
        "NoSuchProfile",
        "the AWS profile that AWS_PROFILE names does not exist",
        lambda e: e.kwargs["profile"],
    ),
    Cause(
        (exceptions.InvalidConfigError, exceptions.UnknownCredentialError),
        "InvalidProfile",
        "the AWS profile cannot be used; correct it",
        # botocore's own words, which name profiles and settings, not their values.
        str,
    ),
    Cause(
        (
            exceptions.InvalidRetryConfigurationError,
            exceptions.InvalidDefaultsMode,
            exceptions.InvalidSTSRegionalEndpointsConfigError,
            exceptions.InvalidIMDSEndpointError,
            exceptions.InvalidIMDSEndpointModeError,
            exceptions.InvalidChecksumConfigError,
        ),
        "InvalidSetting",
        "an AWS_* variable or a setting of the profile has a value that the SDK refuses",
        lambda e: type(e).__name__,
    ),
    Cause(
        (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError),
        "CredentialsUnavailable",
        "the source of the credentials did not give any",
        lambda e: e.kwargs.get("provider", ""),
    ),
    Cause(
        RuntimeError,
        "ExpiredCredentials",
        "the source of the credentials gave some that have expired already; check it, and this machine's clock",
        when=lambda e: "still expired" in str(e),
    ),
    Cause(exceptions.NoRegionError, "NoRegion"),
    Cause(
        AnswerTooLarge,
        "AnswerTooLarge",
        "the answer is larger than any of AWS's should be and was not read; does something else answer, a proxy or the "
        f"endpoint of {_ENDPOINT}?",
    ),
    Cause(ResponseParserError, "InvalidResponse"),
    Cause(
        OSError,
        "UnreadableFile",
        "a file that the AWS settings name cannot be read",
        lambda e: f"{e.filename}: {e.strerror}",
        when=lambda e: isinstance(e.filename, str),
    ),
    Cause((ConnectionResetError, BrokenPipeError), "ConnectionError"),
    Cause(exceptions.EndpointConnectionError, "EndpointConnectionError"),
    Cause((exceptions.HTTPClientError, OSError), "ConnectionError"),
)


def api_error(operation: str, error: Exception) -> ApiError:
    """Return the failure of an operation, or of AssumeRole on the way to it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, exceptions.ClientError):
        return ApiError(error.operation_name, code_of(error.response.get("Error", {})))
    return ApiError(operation, *_meaning(error))


def code_of(error: object) -> str:
    """Return AWS's code. Some services throttle with a code of their own and these words."""
    code = error.get("Code") if isinstance(error, dict) else None
    message = str(error.get("Message", "")) if isinstance(error, dict) else ""
    if "Rate exceeded" in message:
        return "ThrottlingException"
    if any(words in message for words in _SKEWED):
        return "RequestTimeTooSkewed"
    return str(code) if code and _CODE.fullmatch(str(code)) else "UnknownError"


def code_of_exception(error: BaseException) -> str:
    return _meaning(error)[0]


def is_known(error: BaseException) -> bool:
    """Whether a code of AWS's or of ours says what this exception means."""
    return isinstance(error, exceptions.ClientError) or _known(error) is not None


def is_gone(error: object) -> bool:
    """Whether AWS says that there is no such job, which is an answer and not a failure."""
    code, message = (error.get("Code"), str(error.get("Message", ""))) if isinstance(error, dict) else (None, "")
    return code in _GONE or (code == "ValidationException" and _GONE_MESSAGE in message)


def was_received(operation: str, error: Exception) -> bool:
    """Whether the client told of this failure when it came: it did of the operation's own answers and of what happened
    to connections, not of what went wrong before (credentials) or after (unreadable answers, patience at its end)."""
    if isinstance(error, exceptions.ClientError):
        return error.operation_name == operation
    return isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, AnswerTooLarge))


def _meaning(error: BaseException) -> tuple[str, str]:
    """Return the code of an exception, and its advice where the code alone does not say it."""
    return _known(error) or (type(error).__name__, "no call could be made, because of this exception on this machine")


def _known(error: BaseException) -> tuple[str, str] | None:
    came_of = list(_origins(error))
    for one in came_of:
        if isinstance(one, LocalError):
            return one.code, one.advice
    for cause in _CAUSES:
        for one in came_of:
            if isinstance(one, cause.kinds) and cause.when(one):
                detail = str(cause.detail(one) or "")[:_LONGEST]
                return cause.code, f"{cause.advice} ({detail})" if detail and cause.advice else cause.advice
    return None


def _origins(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was made of: the SDK wraps those of its HTTP client, once or twice."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = getattr(following, "kwargs", {}).get("error")
        following = inner if isinstance(inner, BaseException) else following.__cause__
