"""Checks basic authentication against bcrypt hashes, with a cache: frequent scrapes do not pay for bcrypt each time."""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import bcrypt

_CACHED = 100
_LONGEST_PASSWORD = 72  # Bytes. bcrypt ignores further ones, and the library rejects them.
# The limit of connections: of more requests, some clients have disconnected.
_MOST_WAITING = 512
_REMEMBERED_WRONG = 1000


class _Waiting(NamedTuple):
    """A request that waits for a lock. `turn` becomes whether it gets the lock; `waits` returns whether its client is
    still connected."""

    turn: asyncio.Future[bool]
    waits: Callable[[], bool]

    def settle(self, *, refused: bool = False) -> bool:
        """Give the request its turn unless it is refused or its client is gone. Return whether it took the turn."""
        given = not self.turn.done() and not refused and self.waits()
        if not self.turn.done():
            self.turn.set_result(given)
        return given


class _Turns:
    """A lock under which clients with wrong passwords do not delay the others, as they would in a FIFO queue.

    Requests whose password has not failed before come first, and among those the newest: an attacker's earlier requests
    wait for their responses and fail once. Every eighth turn goes to the oldest one, so that it does not starve while
    newer ones keep coming.
    """

    def __init__(self) -> None:
        self._taken = False
        self._given = 0
        self._fresh: deque[_Waiting] = deque()
        self._failed: deque[_Waiting] = deque()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._failed)

    async def take(self, failed: bool, waits: Callable[[], bool]) -> bool:
        """Wait for a turn; return False if too many requests wait or the client is gone. `failed` is whether the same
        password has failed before."""
        if not self._taken:
            self._taken = True
            return True
        self._make_room()
        one = _Waiting(asyncio.get_running_loop().create_future(), waits)
        (self._failed if failed else self._fresh).append(one)
        try:
            return await one.turn
        except asyncio.CancelledError:
            # It got the turn just before it was cancelled: pass it on, or the lock stays taken.
            if not one.turn.cancelled() and one.turn.result():
                self.give()
            raise

    def give(self) -> None:
        """End a turn and start the next one."""
        self._given += 1
        while len(self):
            if self._next().settle():
                return
        self._taken = False

    def _next(self) -> _Waiting:
        if not self._fresh:
            return self._failed.popleft()
        return self._fresh.pop() if self._given % 8 else self._fresh.popleft()

    def _make_room(self) -> None:
        if len(self) < _MOST_WAITING:
            return
        for queue in (self._failed, self._fresh):
            for one in [one for one in queue if one.turn.done() or not one.waits()]:
                queue.remove(one)
                one.settle()
        if len(self) >= _MOST_WAITING:
            (self._failed or self._fresh).popleft().settle(refused=True)


def _always() -> bool:
    return True


class BasicAuthenticator:
    """Checks passwords in a dedicated thread, one at a time, and caches which ones were right.

    Cache keys are HMACs of user, stored hash and password with a key of this process: the cache holds no passwords, and
    a changed hash is a miss. Wrong passwords are kept in a separate cache, so that they cannot evict right ones. It is
    used for the order of requests only: a wrong password always takes as long as one of an unknown user.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}
        self._turns = _Turns()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")

    async def allows(
        self, authorization: str | None, users: Mapping[str, str], waits: Callable[[], bool] = _always
    ) -> bool:
        """Return whether an Authorization header is valid for one of the users (name to bcrypt hash).

        `waits` returns whether the client is still connected; otherwise its password is not compared.
        """
        given = _credentials(authorization or "")
        if given is None:
            return False
        user, password = given
        stored = users.get(user)
        # Compare for an unknown user too: the time of the response must not reveal which users exist.
        against = stored if stored is not None else _nobody(users)
        entry = self._entry(user, against, password)
        if entry in self._right:
            return True
        if not await self._turns.take(entry in self._wrong, waits):
            return False
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._thread, _matches, password, against) and stored is not None
        finally:
            self._turns.give()
        self._remember(entry, right)
        return right

    def _remember(self, entry: bytes, right: bool) -> None:
        # There are as many right passwords as users: the cache only fills up with those of changed hashes.
        if right and len(self._right) >= _CACHED:
            self._right.clear()
        if not right and len(self._wrong) >= _REMEMBERED_WRONG:
            del self._wrong[next(iter(self._wrong))]
        (self._right if right else self._wrong)[entry] = None

    def _entry(self, *parts: str) -> bytes:
        message = b"\0".join(part.encode().hex().encode() for part in parts)
        return hmac.digest(self._key, message, "sha256")


def _credentials(authorization: str) -> tuple[str, str] | None:
    """Return the user and the password in a header by RFC 7617; None if it is malformed."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon else None


def _nobody(users: Mapping[str, str]) -> str:
    """Return a hash that matches no password, and takes as long to compare as the most expensive real one."""
    cost = max((stored.split("$")[2] for stored in users.values()), default="10")
    return f"$2b${cost}${'.' * 53}"


def _matches(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:_LONGEST_PASSWORD], stored.encode())
    except ValueError:
        return False
