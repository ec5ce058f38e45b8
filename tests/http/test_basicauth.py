"""Basic auth, headers and the rate limit of the web configuration file."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
from pathlib import Path

import bcrypt
import pytest
from aiohttp import ClientSession, TCPConnector

from exporter.web.config import WebConfigFile
from exporter.web.config.basicauth import BasicAuthenticator
from tests.conftest import PrometheusFactory
from tests.http.certificates import LOOPBACK, Authority
from tests.http.fakes import FakeExporter, serving
from tests.logged import text
from tests.prometheus import scraping


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


USERS = {"alice": hashed("wonderland"), "zoë": hashed("schlüssel")}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ALICE = basic("alice", "wonderland")


class Comparisons:
    """Counts what bcrypt is asked, and with hashes of which cost."""

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


async def test_the_loop_runs_on_while_a_password_is_compared() -> None:
    """One comparison of cost 12 takes a quarter of a second; ten at once still leave the loop free."""
    users, auth = {"alice": hashed("wonderland", 12)}, BasicAuthenticator()
    work = asyncio.gather(*(auth.allows(basic("alice", str(i)), users) for i in range(4)))
    loop, longest = asyncio.get_running_loop(), 0.0
    while not work.done():
        before = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - before)
    assert await work == [False] * 4
    assert longest < 0.2


class Held:
    """bcrypt, whose first comparison waits for `go`; says which passwords were compared, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passwords: list[bytes] = []
        self.go = threading.Event()
        self._real = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self._check)

    def _check(self, password: bytes, stored: bytes) -> bool:
        self.passwords.append(password)
        assert self.go.wait(10)
        return self._real(password, stored)


async def waiting_for(auth: BasicAuthenticator, count: int) -> None:
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(10):
        while len(held.passwords) < 150:
            await asyncio.sleep(0.001)
    before = len(held.passwords)
    assert await auth.allows(ALICE, USERS)
    assert len(held.passwords) - before < 10
    for task in knocking:
        task.cancel()
    await asyncio.wait(knocking)


async def test_nor_do_new_ones_that_keep_coming_and_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comparison brings ten more, so that the newest is always a wrong one; their clients give up soon."""
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


async def test_a_hundred_clients_with_wrong_passwords_do_not_delay_the_first_scrape(tmp_path: Path) -> None:
    """They ask again as soon as they are refused. In a queue, a hundred comparisons of cost 10 are five seconds."""
    users = f"basic_auth_users:\n  alice: {hashed('wonderland', 10)}\n"
    began = asyncio.Event()

    async def knock(session: ClientSession, number: int) -> None:
        wrong = {"Authorization": basic("alice" if number % 2 else "bob", str(number))}
        while True:
            async with session.get(f"http://127.0.0.1:{port}/metrics", headers=wrong) as answer:
                assert answer.status == 401
            began.set()

    async with (
        serving(security=configured(tmp_path / "web.yml", users)) as port,
        ClientSession(connector=TCPConnector(limit=0)) as session,
    ):
        knocking = [asyncio.create_task(knock(session, number)) for number in range(100)]
        await began.wait()
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert (await ask(port, "/healthz", ALICE))[0] == 200
        took = loop.time() - start
        for task in knocking:
            task.cancel()
        await asyncio.wait(knocking)
        assert not any(task.exception() for task in knocking if not task.cancelled())
    assert took < 2


def configured(path: Path, text: str) -> WebConfigFile:
    path.write_text(text)
    return WebConfigFile(str(path))


async def ask(port: int, path: str, auth: str | None = None) -> tuple[int, dict[str, str], str]:
    headers = {"Authorization": auth} if auth else {}
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/nowhere", "/-/reload"])
async def test_every_route_asks_for_the_password(path: str, tmp_path: Path) -> None:
    security = configured(tmp_path / "web.yml", f"basic_auth_users:\n  alice: {USERS['alice']}\n")
    exporter = FakeExporter()
    async with serving(exporter, security=security) as port:
        code, headers, body = await ask(port, path)
        assert (code, body) == (401, "Unauthorized\n")
        assert headers["WWW-Authenticate"] == 'Basic realm="sagemaker-exporter", charset="UTF-8"'
        assert (await ask(port, path, basic("alice", "wrong")))[0] == 401
        assert (await ask(port, path, basic("mallory", "wonderland")))[0] == 401
        assert exporter.asked == []
        assert (await ask(port, path, basic("alice", "wonderland")))[0] != 401


async def test_users_change_without_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "web.yml"
    security = configured(file, f"basic_auth_users:\n  alice: {USERS['alice']}\n")
    alice, bob = basic("alice", "wonderland"), basic("bob", "builder")
    async with serving(security=security) as port:
        assert (await ask(port, "/healthz", alice))[0] == 200
        file.write_text(f"basic_auth_users:\n  bob: {hashed('builder')}\n")
        assert (await ask(port, "/healthz", alice))[0] == 401
        assert (await ask(port, "/healthz", bob))[0] == 200
        file.write_text("basic_auth_users: {bob: hunter2}\n")
        assert (await ask(port, "/healthz", bob))[0] == 200
        assert (await ask(port, "/healthz"))[0] == 401
        os.unlink(file)
        assert (await ask(port, "/healthz"))[0] == 401
    assert "the one before stays" in text(caplog)
    assert 'key=basic_auth_users.bob problem="is not a bcrypt hash' in text(caplog)
    assert "hunter2" not in text(caplog)


async def test_headers_of_the_file_stand_above_the_servers_own(tmp_path: Path) -> None:
    security = configured(
        tmp_path / "web.yml",
        "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n"
        "    Content-Security-Policy: default-src 'self'\n    X-Content-Type-Options: ''\n    X-Frame-Options: deny\n",
    )
    async with serving(security=security) as port:
        _, headers, _ = await ask(port, "/")
    assert headers["Strict-Transport-Security"] == "max-age=60"
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "deny"


async def test_more_requests_than_the_rate_limit_are_told_so(tmp_path: Path) -> None:
    security = configured(tmp_path / "web.yml", "rate_limit: {interval: 1h, burst: 3}\n")
    async with serving(security=security) as port:
        codes = [(await ask(port, "/healthz"))[0] for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("password", ["wonderland", "wrong"])
async def test_a_real_prometheus_over_tls_with_basic_auth(
    password: str, tmp_path: Path, prometheus: PrometheusFactory
) -> None:
    Authority.new(tmp_path).sign("server", *LOOPBACK)
    security = configured(
        tmp_path / "web.yml",
        f"tls_server_config: {{cert_file: server.pem, key_file: server.key}}\n"
        f"basic_auth_users:\n  alice: {USERS['alice']}\n",
    )
    exporter = FakeExporter(chunks=[b"# TYPE answer gauge\nanswer 42\n# EOF\n"])
    async with serving(exporter, security=security) as port:
        config = scraping(f"127.0.0.1:{port}").replace(
            "{job_name:",
            "{scheme: https, tls_config: {ca_file: ca.pem}, "
            f"basic_auth: {{username: alice, password: {password}}}, job_name:",
        )
        async with prometheus(config) as server:
            (up,) = await server.wait_until(lambda: server.query("up"))
            assert up.value == (password == "wonderland")
            assert [sample.value for sample in await server.query("answer")] == [42.0] * int(up.value)
    assert bool(exporter.asked) == (password == "wonderland")
