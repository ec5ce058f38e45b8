"""Maps exceptions of the SDK and error responses of AWS to one code each, with advice for the user.

To recognise another cause, add a row to `_CAUSES`.
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

from exporter.polling.api import ApiError, advice_of

_GONE = ("ResourceNotFound", "ResourceNotFoundException")
_GONE_MESSAGE = "Requested resource not found"
# For a wrong clock AWS returns the code of a wrong signature; only the message tells them apart.
_SKEWED = ("Signature expired", "Signature not yet current")
_LONGEST = 200
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)
_ENDPOINT = (
    "AWS_ENDPOINT_URL (also with _SAGEMAKER, _STS, _PRICING, _SERVICE_QUOTAS or _CLOUDWATCH, or endpoint_url of the "
    "profile)"
)
# How the messages of the libraries begin when a URL is invalid; they have no exception of its own for it.
_NOT_A_URL = ("Invalid endpoint", "Invalid IPv6 URL", "Port ", "netloc ", "Cannot combine AUTH", "Can't combine AUTH")


class LocalError(Exception):
    """A problem on this machine that prevents calls to AWS. `advice` is shown to the user and holds no secret."""

    def __init__(self, code: str, advice: str) -> None:
        super().__init__(f"{code}: {advice}")
        self.code, self.advice = code, advice


class AnswerTooLarge(exceptions.BotoCoreError):
    """A response body over the limit. Not an HTTPClientError, which the SDK would retry."""

    fmt = "the answer is too large"


class Cause(NamedTuple):
    """Maps some kinds of exceptions to a code of the exporter.

    `advice` is empty where exporter.polling.api has the advice for the code. `detail` returns a part of the exception
    that may be shown; `when` narrows the row to some exceptions of these kinds.
    """

    kinds: type[BaseException] | tuple[type[BaseException], ...]
    code: str
    advice: str = ""
    detail: Callable[[Any], object] = lambda _: ""
    when: Callable[[Any], bool] = lambda _: True


def _proxy_status(error: Any) -> str:
    status = getattr(getattr(error, "kwargs", {}).get("error"), "status", None)
    return f"it answered {status}" if status else ""


# From the most to the least specific: the first row that matches the exception, or one that caused it, applies.
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
        # aiohttp's exception of this kind wraps the one of `ssl`.
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
        # botocore's messages of these kinds name profiles and settings, never their values.
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
        "the source of the credentials did not return any",
        lambda e: e.kwargs.get("provider", ""),
    ),
    Cause(
        RuntimeError,
        "ExpiredCredentials",
        "the source of the credentials returned expired ones; check it, and this machine's clock",
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
    """Return the ApiError for an exception of an operation, or of AssumeRole before it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, exceptions.ClientError):
        return ApiError(error.operation_name, code_of(error.response.get("Error", {})))
    return ApiError(operation, *_meaning(error))


def plain_advice(code: str) -> str:
    """Return what to do about a code, "" if unknown, without details of this machine such as paths and profiles."""
    return next((cause.advice for cause in _CAUSES if cause.code == code and cause.advice), "") or advice_of(code)


def code_of(error: object) -> str:
    """Return the code of an error response: AWS's, except for throttling and a wrong clock, where AWS's codes vary."""
    code = error.get("Code") if isinstance(error, dict) else None
    message = str(error.get("Message", "")) if isinstance(error, dict) else ""
    if "Rate exceeded" in message:
        return "ThrottlingException"
    if any(words in message for words in _SKEWED):
        return "RequestTimeTooSkewed"
    # A code becomes a label value: anything that does not look like one is not passed on.
    return str(code) if code and _CODE.fullmatch(str(code)) else "UnknownError"


def code_of_exception(error: BaseException) -> str:
    """Return the code for an exception: a code of the exporter, or the exception's type."""
    return _meaning(error)[0]


def is_known(error: BaseException) -> bool:
    """Return whether an exception is an error response of AWS or matches a row of `_CAUSES`."""
    return isinstance(error, exceptions.ClientError) or _known(error) is not None


def is_gone(error: object) -> bool:
    """Return whether an error response says that a job does not exist: an answer rather than a failure.
    DescribeTrainingJob returns a ValidationException for it, which only the message tells from other ones."""
    code, message = (error.get("Code"), str(error.get("Message", ""))) if isinstance(error, dict) else (None, "")
    return code in _GONE or (code == "ValidationException" and _GONE_MESSAGE in message)


def was_received(operation: str, error: Exception) -> bool:
    """Return whether the SDK client reported this failure to `exporter.aws.calls`, so that it is counted already.
    It does not report what fails before the request (credentials) or after (an unreadable body, the call's timeout)."""
    if isinstance(error, exceptions.ClientError):
        return error.operation_name == operation
    return isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, AnswerTooLarge))


def _meaning(error: BaseException) -> tuple[str, str]:
    """Return the code of an exception, and its advice; "" where exporter.polling.api has it."""
    return _known(error) or (type(error).__name__, "an unexpected exception on this machine prevented the call")


def _known(error: BaseException) -> tuple[str, str] | None:
    chain = list(_origins(error))
    for one in chain:
        if isinstance(one, LocalError):
            return one.code, one.advice
    for cause in _CAUSES:
        for one in chain:
            if isinstance(one, cause.kinds) and cause.when(one):
                detail = str(cause.detail(one) or "")[:_LONGEST]
                return cause.code, f"{cause.advice} ({detail})" if detail and cause.advice else cause.advice
    return None


def _origins(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and the ones that caused it: the SDK wraps those of its HTTP client once or twice."""
    # A chain can be circular where somebody raises an exception from one that it caused.
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = getattr(following, "kwargs", {}).get("error")
        following = inner if isinstance(inner, BaseException) else following.__cause__
