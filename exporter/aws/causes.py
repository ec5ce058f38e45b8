"""Maps exceptions of the SDK and of its libraries to one code each, with advice for the user.

To recognise another cause, add a row to `_CAUSES`.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
from botocore import exceptions
from botocore.parsers import ResponseParserError

_LONGEST = 200
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


def advice_of_cause(code: str) -> str:
    """Return the advice for a code of this module, without the details of an exception; "" for other codes."""
    return next((cause.advice for cause in _CAUSES if cause.code == code), "")


def cause_of(error: BaseException) -> tuple[str, str] | None:
    """Return the code of an exception, or of one that caused it, and the advice; "" where exporter.polling.api has it.
    None if no row matches."""
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
