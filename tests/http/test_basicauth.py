"""Test passwords: what is compared, how often, and which requests wait for it."""

from __future__ import annotations

import asyncio
import threading
import time

import bcrypt
import pytest

from exporter.web.config.basicauth import BasicAuthenticator
from tests.http.passwords import ALICE, USERS, basic, hashed


class Comparisons:
    """Count the calls of bcrypt, and the costs of their hashes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.costs: list[str] = []
        self._real = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self._check)

    def _check(self, password: bytes, stored: bytes) -> bool:
        self.costs.append(stored.decode().split("$")[2])
        return self._real(password, stored)


async def test_right_wrong_and_unknown() -> None:
    auth = BasicAuthenticator()
    assert await auth.allows(ALICE, USERS)
    assert await auth.allows(basic("zoë", "schlüssel"), USERS)
    assert not await auth.allows(basic("alice", "Wonderland"), USERS)
    assert not await auth.allows(basic("bob", "wonderland"), USERS)
    assert not await auth.allows(basic("", ""), USERS)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Bearer abc",
        "Basic YWxpY2U=",
        "Basic //79",
        ALICE + "=",
        "Basic " + "é",
        "Basic \x00" + ALICE,
    ],
)
async def test_a_header_that_is_none(header: str | None) -> None:
    assert not await BasicAuthenticator().allows(header, USERS)


async def test_a_right_password_costs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons, auth = Comparisons(monkeypatch), BasicAuthenticator()
    assert [await auth.allows(ALICE, USERS) for _ in range(5)] == [True] * 5
    assert len(comparisons.costs) == 1


async def test_a_wrong_password_costs_each_time_and_an_unknown_user_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons, auth = Comparisons(monkeypatch), BasicAuthenticator()
    users = {"alice": hashed("wonderland", 5)}
    for _ in range(2):
        assert not await auth.allows(basic("alice", "x"), users)
        assert not await auth.allows(basic("bob", "x"), users)
    assert comparisons.costs == ["05"] * 4


async def test_a_changed_password_is_asked_for_again() -> None:
    auth = BasicAuthenticator()
    assert await auth.allows(ALICE, USERS)
    assert not await auth.allows(ALICE, {"alice": hashed("looking-glass")})
    assert not await auth.allows(ALICE, {"bob": USERS["alice"]})


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.config.basicauth._CACHED", 2)
    comparisons, auth = Comparisons(monkeypatch), BasicAuthenticator()
    users = {name: hashed(name) for name in ("a", "b", "c")}
    for name in ("a", "b", "c", "c", "a"):
        assert await auth.allows(basic(name, name), users)
    assert len(comparisons.costs) == 4


async def test_long_passwords_are_compared_as_far_as_bcrypt_reads() -> None:
    users = {"alice": hashed("x" * 100)}
    assert await BasicAuthenticator().allows(basic("alice", "x" * 100), users)
    assert not await BasicAuthenticator().allows(basic("alice", "x" * 71), users)


async def test_a_hash_that_bcrypt_does_not_take_fits_nothing() -> None:
    assert not await BasicAuthenticator().allows(ALICE, {"alice": "$2b$04$" + "é" * 53})


async def test_the_loop_runs_on_while_a_password_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison of cost 12 takes a quarter of a second or more; the loop must run meanwhile."""
    compared: list[tuple[float, float]] = []
    real = bcrypt.checkpw

    def check(password: bytes, stored: bytes) -> bool:
        began = time.monotonic()
        try:
            return real(password, stored)
        finally:
            compared.append((began, time.monotonic()))

    monkeypatch.setattr(bcrypt, "checkpw", check)
    users, auth = {"alice": hashed("wonderland", 12)}, BasicAuthenticator()
    work = asyncio.gather(*(auth.allows(basic("alice", str(i)), users) for i in range(4)))
    turns = []
    while not work.done():
        turns.append(time.monotonic())
        await asyncio.sleep(0.001)
    assert await work == [False] * 4
    assert len(compared) == 4
    for began, ended in compared:
        quarter = (ended - began) / 4
        assert any(began + quarter < turn < ended - quarter for turn in turns)


class Held:
    """Fake bcrypt: the first comparison waits for `go`. Record the compared passwords in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passwords: list[bytes] = []
        self.go = threading.Event()
        self._real = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self._check)

    def _check(self, password: bytes, stored: bytes) -> bool:
        self.passwords.append(password)
        assert self.go.wait(60)
        return self._real(password, stored)


async def waiting_for(auth: BasicAuthenticator, count: int) -> None:
    async with asyncio.timeout(60):
        while len(auth._turns) < count:
            await asyncio.sleep(0.001)


async def test_wrong_passwords_that_came_before_do_not_delay_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held, auth = Held(monkeypatch), BasicAuthenticator()
    wrong = asyncio.gather(*(auth.allows(basic("alice", str(number)), USERS) for number in range(100)))
    await waiting_for(auth, 99)
    right = asyncio.create_task(auth.allows(ALICE, USERS))
    await waiting_for(auth, 100)
    held.go.set()
    assert await right
    assert len(held.passwords) <= 4
    assert await wrong == [False] * 100


async def test_nor_do_those_that_come_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held, auth = Held(monkeypatch), BasicAuthenticator()

    async def knock(number: int) -> None:
        while not await auth.allows(basic("alice", str(number)), USERS):
            await asyncio.sleep(0)

    knocking = [asyncio.create_task(knock(number)) for number in range(100)]
    await waiting_for(auth, 99)
    held.go.set()
    async with asyncio.timeout(60):
        while len(held.passwords) < 150:
            await asyncio.sleep(0.001)
    before = len(held.passwords)
    assert await auth.allows(ALICE, USERS)
    assert len(held.passwords) - before < 10
    for task in knocking:
        task.cancel()
    await asyncio.wait(knocking)


async def test_nor_do_new_ones_that_keep_coming_and_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comparison causes ten more, so that the newest is always wrong. Their clients time out soon."""
    held, auth = Held(monkeypatch), BasicAuthenticator()
    tasks: list[asyncio.Task[bool]] = []
    gone = 0

    def come(number: int) -> None:
        header = basic("alice", str(number))
        tasks.append(asyncio.create_task(auth.allows(header, USERS, lambda: number >= gone)))

    for number in range(10):
        come(number)
    await waiting_for(auth, 9)
    right = asyncio.create_task(auth.allows(ALICE, USERS))
    await waiting_for(auth, 10)
    held.go.set()
    compared = 0
    while not right.done():
        await asyncio.sleep(0)
        if len(held.passwords) > compared:
            compared, gone = len(held.passwords), len(tasks) - 10
            for number in range(len(tasks), len(tasks) + 10):
                come(number)
    assert await right
    assert compared < 40
    assert not any(await asyncio.gather(*tasks))


async def test_which_passwords_were_wrong_is_remembered_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.config.basicauth._REMEMBERED_WRONG", 2)
    auth = BasicAuthenticator()
    for number in (1, 2, 2, 3):
        assert not await auth.allows(basic("alice", str(number)), USERS)
    assert len(auth._wrong) == 2


async def test_nothing_is_compared_for_a_client_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    held, auth = Held(monkeypatch), BasicAuthenticator()
    first = asyncio.create_task(auth.allows(basic("alice", "first"), USERS))
    await asyncio.sleep(0)
    others = [asyncio.create_task(auth.allows(basic("alice", str(n)), USERS, lambda: False)) for n in range(5)]
    cancelled = asyncio.create_task(auth.allows(basic("alice", "cancelled"), USERS))
    await waiting_for(auth, 6)
    cancelled.cancel()
    held.go.set()
    assert await asyncio.gather(first, *others) == [False] * 6
    assert held.passwords == [b"first"]
    assert await auth.allows(ALICE, USERS)


async def test_no_more_than_there_are_connections_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.config.basicauth._MOST_WAITING", 3)
    held, auth = Held(monkeypatch), BasicAuthenticator()
    headers = [basic("alice", str(number)) for number in range(5)]
    tasks = [asyncio.create_task(auth.allows(header, USERS)) for header in headers]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.done() for task in tasks] == [False, True, False, False, False]
    held.go.set()
    assert await asyncio.gather(*tasks) == [False] * 5
    assert len(held.passwords) == 4


async def test_a_turn_that_is_given_to_a_client_that_leaves_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    held, auth = Held(monkeypatch), BasicAuthenticator()
    held.go.set()
    auth._turns._taken = True
    leaving = asyncio.create_task(auth.allows(basic("alice", "x"), USERS))
    await waiting_for(auth, 1)
    auth._turns.give()
    leaving.cancel()
    await asyncio.wait([leaving])
    assert await auth.allows(ALICE, USERS)
    assert held.passwords == [b"wonderland"]
