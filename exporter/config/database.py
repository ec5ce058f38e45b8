"""Validates the URL of the database that replicas share, and names it in messages without its secrets."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from pydantic_core import PydanticCustomError

from exporter.config.problems import ConfigError, Problem
from exporter.config.syntax import Confidential, Text, refused

_URL = Text(
    # As libpq reads it, which knows no fragments. What is not of this form may have its password anywhere.
    re.compile(r"(?:postgres(?:ql)?://(?:[^:/?#@\[\]\s]*@)?[^/?#@\s]*(?:/[^/?#@\s]*)?(?:\?[^?#@\s]*)?)?", re.ASCII),
    "the URL of a PostgreSQL database",
    "a URL such as postgresql://exporter@db.example.org/sagemaker_exporter",
)
_PASSWORD = re.compile(r"[^:]*://[^@]*:.*@", re.DOTALL)
_SEEN = "contains a password, which others may read there"


def parse_url(value: object, *, setting: str = "state.password_file") -> str:
    """Validate a connection URL of libpq. Errors do not quote it, because what is refused may contain a password.
    `setting` names a file with the password."""
    elsewhere = f"the password in {setting}, PGPASSWORD or a passfile"
    if isinstance(value, str) and _PASSWORD.match(value):
        raise refused(_SEEN, elsewhere)
    url = Confidential(_URL)(value)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused(f"is not {_URL.name}", _URL.allowed) from None
    if any("password" in key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise refused(_SEEN, elsewhere)
    return url


def name_of(url: str) -> str:
    """Return a URL without user and parameters, as it may be logged."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def place_name(flag: str, place: str) -> str:
    """Return the name in messages of a state file or a database that a flag names. Raises ConfigError for a bad URL."""
    if "://" not in place:
        return place
    try:
        return name_of(parse_url(place, setting="--password-file"))
    except PydanticCustomError as error:
        wrong = error.context or {}
        raise ConfigError([Problem("", flag, str(wrong.get("message")), str(wrong.get("allowed")))]) from None
