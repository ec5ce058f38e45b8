"""Basic authentication against bcrypt hashes, at a price that a scrape each few seconds can pay."""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from collections.abc import Mapping

import bcrypt

_CACHED = 100
_LONGEST_PASSWORD = 72  # bcrypt reads no further, and the library refuses more.


class BasicAuthenticator:
    """Checks passwords in a thread, one at a time, and remembers which ones were right.

    What is remembered is keyed by a hash of user, stored hash and password under a key of this process, so it
    holds no password, and a changed hash is a miss. Wrong passwords are not remembered: they cannot push
    out the right ones, and always cost the same as those of unknown users.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._one_at_a_time = asyncio.Lock()

    async def allows(self, authorization: str | None, users: Mapping[str, str]) -> bool:
        """Whether the value of an Authorization header names one of the users (name to bcrypt hash)."""
        given = _credentials(authorization or "")
        if given is None:
            return False
        user, password = given
        stored = users.get(user)
        against = stored if stored is not None else _nobody(users)
        entry = self._entry(user, against, password)
        if entry in self._right:
            return True
        async with self._one_at_a_time:
            right = await asyncio.to_thread(_matches, password, against)
        if not right or stored is None:
            return False
        if len(self._right) >= _CACHED:
            self._right.clear()
        self._right[entry] = None
        return True

    def _entry(self, *parts: str) -> bytes:
        message = b"\0".join(part.encode().hex().encode() for part in parts)
        return hmac.digest(self._key, message, "sha256")


def _credentials(authorization: str) -> tuple[str, str] | None:
    """User and password of RFC 7617, None if there are none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon else None


def _nobody(users: Mapping[str, str]) -> str:
    """A hash that fits no password and costs as much to compare as a real one."""
    cost = max((stored.split("$")[2] for stored in users.values()), default="10")
    return f"$2b${cost}${'.' * 53}"


def _matches(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:_LONGEST_PASSWORD], stored.encode())
    except ValueError:
        return False
