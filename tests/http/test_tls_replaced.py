"""Test certificates, authorities and files that are replaced while the server runs."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.web.config import WebConfigFile
from tests.http.certificates import LOOPBACK, Authority
from tests.http.fakes import exchange, get
from tests.http.over_tls import CLIENTS, SERVER, healthy, refused, secured
from tests.logged import lines, messages


async def serial(port: int, client: ssl.SSLContext) -> str:
    """Return the serial number of the certificate that the server shows to a new connection."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(certificate["serialNumber"])


def replace(path: Path, content: bytes | str) -> None:
    """Replace a file atomically, so that a new modification time or inode shows the change."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(fresh, path)


async def test_a_new_certificate_is_shown_to_the_next_connection(
    configured: Callable[[str], WebConfigFile], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = authority.client()
    async with secured(configured(SERVER)) as port:
        before = await serial(port, client)
        assert await serial(port, client) == before
        authority.sign("server", *LOOPBACK)
        assert await serial(port, client) != before
    assert "web configuration reloaded" in messages(caplog)


async def test_a_broken_new_pair_leaves_the_old_one_and_is_logged_once(
    configured: Callable[[str], WebConfigFile],
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = authority.client()
    async with secured(configured(SERVER)) as port:
        before = await serial(port, client)
        replace(tmp_path / "server.key", authority.sign("other")[1].read_bytes())
        assert [await serial(port, client) for _ in range(3)] == [before] * 3
        replace(tmp_path / "server.pem", "not PEM")
        assert await serial(port, client) == before
        authority.sign("server", *LOOPBACK)
        assert await serial(port, client) != before
    assert messages(caplog).count("web configuration not reloaded; keeping the previous one") == 2
    assert [record.levelno for record in caplog.records if "not reloaded" in record.getMessage()] == [logging.ERROR] * 2
    errors = [line for line in lines(caplog) if "not reloaded" in line]
    assert 'key=tls_server_config.cert_file problem="cannot be used: key values mismatch' in errors[0]


async def test_an_authority_that_is_taken_away_is_trusted_no_longer(
    configured: Callable[[str], WebConfigFile], authority: Authority, tmp_path: Path
) -> None:
    other = Authority.new(tmp_path / "other", "Other CA")
    async with secured(configured(SERVER + CLIENTS + "RequireAndVerifyClientCert")) as port:
        client = authority.client("prometheus")
        assert await healthy(port, client) == 200
        trusting = authority.client()
        replace(tmp_path / "ca.pem", other.file.read_bytes())
        assert await refused(port, client)
        trusting.load_cert_chain(*other.sign("prometheus"))
        assert await healthy(port, trusting) == 200


async def test_the_file_itself_is_read_again(
    configured: Callable[[str], WebConfigFile], authority: Authority, tmp_path: Path
) -> None:
    """Also if the file names a certificate that does not exist yet, or is invalid for a while."""
    async with secured(configured(SERVER)) as port:
        replace(tmp_path / "web.yml", SERVER.replace("server.", "next."))
        assert await healthy(port, authority.client()) == 200
        authority.sign("next", *LOOPBACK)
        client = authority.client()
        before = await serial(port, client)
        replace(tmp_path / "web.yml", "nonsense: [")
        assert await serial(port, client) == before
        replace(tmp_path / "web.yml", SERVER)
        assert await serial(port, client) != before
        replace(tmp_path / "web.yml", "")
        assert (await exchange(port, get("/healthz"))).endswith(b"ok\n")
