"""Maps exceptions of the SDK and error responses of AWS to one code each."""

from __future__ import annotations

import re

from botocore import exceptions

from exporter.aws.causes import AnswerTooLarge, advice_of_cause, cause_of
from exporter.polling.api import ApiError, advice_of

_GONE = ("ResourceNotFound", "ResourceNotFoundException")
_GONE_MESSAGE = "Requested resource not found"
# For a wrong clock AWS returns the code of a wrong signature; only the message tells them apart.
_SKEWED = ("Signature expired", "Signature not yet current")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def api_error(operation: str, error: Exception) -> ApiError:
    """Return the ApiError for an exception of an operation, or of AssumeRole before it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, exceptions.ClientError):
        return ApiError(error.operation_name, code_of(error.response.get("Error", {})))
    return ApiError(operation, *_meaning(error))


def plain_advice(code: str) -> str:
    """Return what to do about a code, "" if unknown, without details of this machine such as paths and profiles."""
    return advice_of_cause(code) or advice_of(code)


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
    """Return whether an exception is an error response of AWS or of a known cause."""
    return isinstance(error, exceptions.ClientError) or cause_of(error) is not None


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
    return cause_of(error) or (type(error).__name__, "an unexpected exception on this machine prevented the call")
