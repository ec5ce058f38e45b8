"""Parses and validates the values of the configuration.

Each validator takes the value from the file and returns its meaning, or raises `refused(...)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeGuard
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationInfo
from pydantic_core import PydanticCustomError

from exporter.config import duration
from exporter.config.pattern import Pattern, PatternError
from exporter.config.problems import kind, quote

# The validation context of values from a file or a flag. Without it, values come from code.
WRITTEN: Final = object()

_DURATIONS = "a Prometheus duration such as 30s, 5m, 1h30m, 7d"
_PATTERNS = "a Python regular expression for whole job names"
_RE2_PATTERNS = f"{_PATTERNS}, without lookaround, backreferences and repetitions above 1000"
_RATES = "requests per second, more than 0 and at most 1000"
_MULTIPLIERS = "a number from 0 to 100 such as 0.88"
_ROLE = re.compile(r"arn:aws(?:-[a-z]+)*:iam::([0-9]{12}):role/(?:[!-.0-~]{1,128}/)*[\w+=,.@-]{1,64}", re.ASCII)


def refused(message: str, allowed: str) -> PydanticCustomError:
    """Return the error for a value: what is wrong with it, and what is allowed."""
    return PydanticCustomError("refused", "{message}", {"message": message, "allowed": allowed})


@dataclass(frozen=True, slots=True)
class Text:
    """Validates text against a regular expression. `name` is used in errors, with its article."""

    form: re.Pattern[str]
    name: str
    allowed: str

    def __call__(self, value: object) -> str:
        if not isinstance(value, str) or not self.form.fullmatch(value):
            raise refused(f"{quote(value)} is not {self.name}", self.allowed)
        return value


@dataclass(frozen=True, slots=True)
class Confidential:
    """Validates text like `Text`, without repeating it in errors."""

    text: Text

    def __call__(self, value: object) -> str:
        try:
            return self.text(value.get_secret_value() if isinstance(value, SecretStr) else value)
        except PydanticCustomError:
            # Without the cause, which quotes the value.
            raise refused(f"is not {self.text.name}", self.text.allowed) from None


@dataclass(frozen=True, slots=True)
class Span:
    """Parses a duration within limits to seconds. Code may pass seconds; in a file the unit is required."""

    shortest: str
    longest: str

    def __call__(self, value: object, info: ValidationInfo) -> float:
        try:
            seconds = float(value) if _is_seconds(value, info) else duration.parse(_written(value))
        except ValueError:
            raise refused(f"{quote(value)} is not a duration", _DURATIONS) from None
        if not duration.parse(self.shortest) <= seconds <= duration.parse(self.longest):
            raise refused(f"{quote(value)} is out of range", f"{self.shortest} to {self.longest}")
        return seconds


@dataclass(frozen=True, slots=True)
class Whole:
    """Validates a whole number within limits."""

    least: int
    most: int

    def __call__(self, value: object) -> int:
        allowed = f"a whole number from {self.least} to {self.most}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(f"{quote(value)} is not a whole number", allowed)
        if not self.least <= value <= self.most:
            raise refused(f"{quote(value)} is out of range", allowed)
        return value


def rate(value: object) -> float:
    """Validate a rate in requests per second."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"{quote(value)} is not a number", _RATES)
    if not 0 < value <= 1000:
        raise refused(f"{quote(value)} is out of range", _RATES)
    return float(value)


def multiplier(value: object) -> Fraction:
    """Return the multiplier of a price, exactly as it is written."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"{quote(value)} is not a number", _MULTIPLIERS)
    if not 0 <= value <= 100:
        raise refused(f"{quote(value)} is out of range", _MULTIPLIERS)
    # The shortest decimal that means the same number is the one that was written: 0.88, and no binary fraction near it.
    return Fraction(repr(value))


def listed(value: object) -> tuple[object, ...]:
    """Return a list as a tuple, which frozen models need."""
    if isinstance(value, list | tuple):
        return tuple(value)
    raise refused(f"is {kind(value)}, not a list", "a list")


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Validate that no entry of a list is repeated."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refused(f"{quote(value)} is listed twice", "each entry once")
    return values


def allowlist(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Validate a list of names or, as in kube-state-metrics, ["*"] for all."""
    if "*" in keys and len(keys) > 1:
        raise refused('"*" is listed with other keys', '["*"] alone, or keys by name')
    return distinct(keys)


# Tags of a union, which pydantic adds to the location of errors. No key can be named like them; messages omit them.
ONE: Final = "[one]"
SEVERAL: Final = "[several]"


def one_or_several(value: object) -> str:
    """Return the tag of the union that a value belongs to."""
    return SEVERAL if isinstance(value, list | tuple) else ONE


def external_url(value: object) -> str:
    """Validate the URL under which clients reach the exporter. The part before an @ may be secret: it is not quoted."""
    if isinstance(value, str) and "@" in value:
        raise refused("has a user or a password", _external_url.allowed)
    url = _external_url(value)
    try:
        if urlsplit(url).port == 0:
            raise ValueError("no client can connect to it")
    except ValueError:
        raise refused(f"{quote(url)} is not {_external_url.name}", _external_url.allowed) from None
    return url


def _is_seconds(value: object, info: ValidationInfo) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # 0 is the one duration without a unit, and YAML reads it as a number.
    return info.context is not WRITTEN or (isinstance(value, int) and value == 0)


def _written(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not text")  # callers replace it with their own error


def pattern(value: object) -> Pattern:
    """Compile a regular expression for job names."""
    if isinstance(value, Pattern):
        return value
    # Code may pass a compiled pattern of Python.
    text = value.pattern if isinstance(value, re.Pattern) else value
    if not isinstance(text, str):
        raise refused(f"{quote(text)} is not text", _PATTERNS)
    try:
        return Pattern(text)
    except PatternError as error:
        if error.supported:
            raise refused(f"{quote(text)} is not a regular expression: {error}", _PATTERNS) from None
        raise refused(f"{quote(text)} is not supported by RE2: {error}", _RE2_PATTERNS) from None


def account_of(role_arn: object) -> str | None:
    """Return the account ID in the ARN of an IAM role; None for anything else."""
    match = _ROLE.fullmatch(role_arn) if isinstance(role_arn, str) else None
    return match[1] if match else None


region = Text(
    re.compile(r"[a-z]{2,5}(?:-[a-z]{2,}){1,2}-[1-9][0-9]?"),
    "an AWS region",
    "regions such as us-east-1, eu-west-1, cn-north-1",
)
role_arn = Confidential(
    Text(_ROLE, "the ARN of an IAM role", "the ARN of a role such as arn:aws:iam::123456789012:role/NAME")
)
external_id = Confidential(
    Text(
        re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII),
        "an external ID",
        "2 to 1224 letters, digits or _+=,.@:/-, in quotes if they read as a number",
    )
)
session_name = Text(
    re.compile(r"[\w+=,.@-]{2,64}", re.ASCII),
    "a session name",
    "2 to 64 letters, digits or _+=,.@-, in quotes if they read as a number",
)
telemetry_path = Text(
    re.compile(r"(?!/(?:healthz|readyz|job|favicon\.ico|-/.*)\Z)(?!.*/\.\.?(?:/|\Z))(?:/[\w.~-]+)+", re.ASCII),
    "a path for metrics",
    "a path such as /metrics, but not /, /job, /healthz, /readyz, /favicon.ico or one under /-/",
)
_SEGMENTS = r"(?!.*/\.\.?(?:/|\Z))(?:/|(?:/[\w.~:+=,-]+)+/?)?"
_external_url = Text(
    re.compile(rf"(?:https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?{_SEGMENTS})?", re.ASCII),
    "a URL under which clients reach the exporter",
    'a URL such as https://example.org/sagemaker, without user, query or fragment, or "" for none',
)
route_prefix = Text(
    re.compile(_SEGMENTS, re.ASCII),
    "a prefix of paths",
    'a path such as /sagemaker, / for none, or "" for the path of external_url',
)
tag_key = Text(re.compile(r"[\w .:/=+@-]{1,128}"), "a tag key", "1 to 128 letters, digits, spaces or _.:/=+-@")
tag_key_or_all = Text(re.compile(r"\*|[\w .:/=+@-]{1,128}"), "a tag key", f'{tag_key.allowed}, or "*" for all')
hyperparameter_or_all = Text(
    re.compile(r"[^\x00-\x1f\x7f]{1,256}"),
    "the name of a hyperparameter",
    '1 to 256 characters, in quotes if they read as a number, or "*" for all',
)
metric_glob = Text(
    re.compile(r".*", re.DOTALL),
    "the name of a metric",
    "names of metrics, in which * and ? stand for any characters",
)
state_path = Text(re.compile(r"[^\x00-\x1f\x7f]*"), "a path", 'the path of a file, or "" for memory')
password_file = Text(re.compile(r"[^\x00-\x1f\x7f]*"), "a path", 'the path of a file with the password, or "" for none')
price_file = Text(re.compile(r"[^\x00-\x1f\x7f]*"), "a path", 'the path of a price file, or "" for none')
account = Text(
    re.compile(r"[0-9]{12}", re.ASCII), "an AWS account", 'the 12 digits of an account in quotes: "123456789012"'
)
instance_type_glob = Text(
    re.compile(r"[a-z0-9.*?-]{1,64}", re.ASCII),
    "the name of instance types",
    "names of instance types such as ml.p4d.24xlarge, in which * and ? stand for any characters",
)
