"""What went wrong, from the SDK's exceptions and AWS's answers to one code each."""

from __future__ import annotations

from botocore import exceptions
from botocore.parsers import ResponseParserError

from exporter.polling.api import ApiError

_GONE = ("ResourceNotFound", "ResourceNotFoundException")
_GONE_MESSAGE = "Requested resource not found"
_CODES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (exceptions.PartialCredentialsError, "PartialCredentials"),
    ((exceptions.NoCredentialsError, exceptions.CredentialRetrievalError), "NoCredentials"),
    (exceptions.NoRegionError, "NoRegion"),
    (exceptions.ProfileNotFound, "NoSuchProfile"),
    ((exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError, TimeoutError), "Timeout"),
    ((exceptions.EndpointConnectionError, exceptions.NoAuthTokenError), "EndpointConnectionError"),
    (ResponseParserError, "InvalidResponse"),
    ((exceptions.HTTPClientError, OSError), "ConnectionError"),
)


def api_error(operation: str, error: Exception) -> ApiError:
    """The failure of an operation, or of AssumeRole on the way to it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, exceptions.ClientError):
        return ApiError(error.operation_name, code_of(error.response.get("Error", {})))
    return ApiError(operation, code_of_exception(error))


def code_of(error: object) -> str:
    """AWS's code. Some services throttle with a code of their own and these words."""
    code = error.get("Code") if isinstance(error, dict) else None
    message = str(error.get("Message", "")) if isinstance(error, dict) else ""
    if "Rate exceeded" in message:
        return "ThrottlingException"
    return str(code) if code else "UnknownError"


def code_of_exception(error: BaseException) -> str:
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code
    return type(error).__name__


def is_gone(error: object) -> bool:
    """Whether AWS says that there is no such job, which is an answer and not a failure."""
    code, message = (error.get("Code"), str(error.get("Message", ""))) if isinstance(error, dict) else (None, "")
    return code in _GONE or (code == "ValidationException" and _GONE_MESSAGE in message)


def was_received(operation: str, error: Exception) -> bool:
    """Whether the client told of this failure when it came: it did of the operation's own answers and of broken
    connections, not of what went wrong before (credentials) or after (unreadable answers, patience at its end)."""
    if isinstance(error, exceptions.ClientError):
        return error.operation_name == operation
    return isinstance(error, exceptions.HTTPClientError)
