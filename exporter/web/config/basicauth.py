"""Basic authentication against bcrypt hashes, at a price that a scrape each few seconds can pay."""

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
_LONGEST_PASSWORD = 72  # bcrypt reads no further, and the library refuses more.
# As many as there are connections; of more, the clients have gone.
_MOST_WAITING = 512
_REMEMBERED_WRONG = 1000


class _Waiting(NamedTuple):
    """A request in front of a lock: `turn` is whether it has the lock, `waits` whether its client still waits."""

    turn: asyncio.Future[bool]
    waits: Callable[[], bool]

    def settle(self, *, refused: bool = False) -> bool:
        """Tell whether it has its turn now."""
        given = not self.turn.done() and not refused and self.waits()
        if not self.turn.done():
            self.turn.set_result(given)
        return given


class _Turns:
    """A lock for which clients with wrong passwords do not delay the others, as they would in a queue.

    Who has not failed before comes first, and of those the newest: a hundred that came before wait for their answers,
    and fail once. One turn in eight is the oldest's, for when newer ones never stop.
    """

    def __init__(self) -> None:
        self._taken = False
        self._given = 0
        self._fresh: deque[_Waiting] = deque()
        self._failed: deque[_Waiting] = deque()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._failed)

    async def take(self, failed: bool, waits: Callable[[], bool]) -> bool:
        """Wait for a turn; False if there is none because too many wait, or the client has gone. `failed` is for who
        failed before."""
        if not self._taken:
            self._taken = True
            return True
        self._make_room()
        one = _Waiting(asyncio.get_running_loop().create_future(), waits)
        (self._failed if failed else self._fresh).append(one)
        try:
            return await one.turn
        except asyncio.CancelledError:
            if not one.turn.cancelled() and one.turn.result():
                self.give()
            raise

    def give(self) -> None:
        """End a turn."""
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
    """Checks passwords in a thread of its own, one at a time, and remembers which ones were right.

    What is remembered is keyed by a hash of user, stored hash and password under a key of this process, so it
    holds no password, and a changed hash is a miss. Wrong passwords are remembered apart, so that they cannot push out
    the right ones, and only to let others go first: they always cost the same as those of unknown users.
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
        """Whether the value of an Authorization header names one of the users (name to bcrypt hash). Nothing is
        compared for a client that has gone: `waits` says whether it still waits for the answer."""
        given = _credentials(authorization or "")
        if given is None:
            return False
        user, password = given
        stored = users.get(user)
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
        if right and len(self._right) >= _CACHED:
            self._right.clear()
        if not right and len(self._wrong) >= _REMEMBERED_WRONG:
            del self._wrong[next(iter(self._wrong))]
        (self._right if right else self._wrong)[entry] = None

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
