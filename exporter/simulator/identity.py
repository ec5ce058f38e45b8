"""Identify the caller: the access key ID contains the account, and the credential scope the region."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.simulator.errors import ApiError

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
KEY = re.compile(r"A[KS]IA(\d{12})[A-Z0-9]{4}")
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Caller:
    """The signer of a request, and the region that it was signed for."""

    access_key: str
    account: str
    region: str


def access_key(account: str, serial: int | None = None) -> str:
    """Return an access key ID for this account: a long-term one, or that of session number `serial`."""
    if serial is None:
        return f"AKIA{account}TEST"
    return f"ASIA{account}{''.join(DIGITS[serial >> shift & 31] for shift in (15, 10, 5, 0))}"


def caller(authorization: str, default_account: str) -> Caller:
    """Return who signed a request with this Authorization header. An access key ID of another form selects the default
    account.

    Raises ApiError if there is no signature. The signature itself is not verified.
    """
    found = CREDENTIAL.search(authorization)
    if not found:
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    known = KEY.fullmatch(found[1])
    return Caller(found[1], known[1] if known else default_account, found[2])
