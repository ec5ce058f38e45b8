"""Test basic auth, headers and the rate limit of the web configuration file from a client's view."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector

from exporter.web.config import WebConfigFile
from tests.conftest import PrometheusFactory
from tests.http.certificates import LOOPBACK, Authority
from tests.http.fakes import FakeExporter, serving
from tests.http.passwords import ALICE, USERS, basic, hashed
from tests.logged import text
from tests.prometheus import scraping


def configured(path: Path, text: str) -> WebConfigFile:
    path.write_text(text)
    return WebConfigFile(str(path))


async def ask(port: int, path: str, auth: str | None = None) -> tuple[int, dict[str, str], str]:
    headers = {"Authorization": auth} if auth else {}
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


async def test_a_hundred_clients_with_wrong_passwords_do_not_delay_the_first_scrape(tmp_path: Path) -> None:
    """They retry as soon as they are refused. In one queue, a hundred comparisons of cost 10 take five seconds."""
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
    assert "keeping the previous one" in text(caplog)
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
