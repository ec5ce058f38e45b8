"""Test TLS from a web configuration file, over real sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession
from cryptography import x509

from exporter.config import ConfigError
from exporter.web.config import WebConfigFile, check
from exporter.web.config.tls import subject_alternative_names
from exporter.web.routes import ConnectionLimits
from tests.http.certificates import Authority
from tests.http.fakes import FakeExporter, connected, cut_off, exchange, get, serving
from tests.http.over_tls import CLIENTS, SERVER, healthy, refused, secured


async def test_a_client_that_trusts_the_authority_gets_an_answer(
    configured: Callable[[str], WebConfigFile], authority: Authority
) -> None:
    async with secured(configured(SERVER)) as port:
        assert await healthy(port, authority.client()) == 200
        assert await refused(port, ssl.create_default_context())


async def test_plain_http_gets_no_answer_over_tls(configured: Callable[[str], WebConfigFile]) -> None:
    async with secured(configured(SERVER)) as port:
        assert b"200" not in await exchange(port, get("/healthz"))


async def test_a_handshake_that_does_not_come_is_cut_off(
    configured: Callable[[str], WebConfigFile], authority: Authority
) -> None:
    async with serving(security=configured(SERVER), limits=ConnectionLimits(header_timeout=0.3)) as port:
        async with connected(port) as (reader, _):
            async with asyncio.timeout(5):
                assert await cut_off(reader) or reader.at_eof()
        assert await healthy(port, authority.client()) == 200


async def test_large_answers_and_half_answers_over_tls(
    configured: Callable[[str], WebConfigFile], authority: Authority
) -> None:
    whole = FakeExporter(chunks=[bytes(100_000)] * 20)
    client = authority.client()
    async with serving(whole, security=configured(SERVER)) as port, ClientSession() as session:
        async with session.get(f"https://127.0.0.1:{port}/metrics", ssl=client) as answer:
            assert len(await answer.read()) == 2_000_000
        whole.chunks = [bytes(100_000), OSError("half way")]
        with pytest.raises(ClientError):
            async with session.get(f"https://127.0.0.1:{port}/metrics", ssl=client) as answer:
                await answer.read()


async def test_inline_certificates(
    configured: Callable[[str], WebConfigFile], authority: Authority, tmp_path: Path
) -> None:
    def block(name: str) -> str:
        return "|\n    " + (tmp_path / name).read_text().replace("\n", "\n    ")

    text = (
        f"tls_server_config:\n  cert: {block('server.pem')}\n  key: {block('server.key')}\n"
        f"  client_ca: {block('ca.pem')}\n  client_auth_type: RequireAndVerifyClientCert\n"
    )
    async with secured(configured(text)) as port:
        assert await healthy(port, authority.client("prometheus")) == 200
        assert await refused(port, authority.client())


async def test_client_certificates_are_required_and_verified(
    configured: Callable[[str], WebConfigFile], authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority.new(tmp_path / "stranger", "Stranger")
    async with secured(configured(SERVER + CLIENTS + "RequireAndVerifyClientCert")) as port:
        assert await healthy(port, authority.client("prometheus")) == 200
        assert await refused(port, authority.client())
        forged = authority.client()
        forged.load_cert_chain(*stranger.sign("prometheus"))
        assert await refused(port, forged)


async def test_client_certificates_are_verified_if_given(
    configured: Callable[[str], WebConfigFile], authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority.new(tmp_path / "stranger", "Stranger")
    async with secured(configured(SERVER + CLIENTS + "VerifyClientCertIfGiven")) as port:
        assert await healthy(port, authority.client()) == 200
        assert await healthy(port, authority.client("prometheus")) == 200
        forged = authority.client()
        forged.load_cert_chain(*stranger.sign("prometheus"))
        assert await refused(port, forged)


async def test_only_the_names_on_the_list(configured: Callable[[str], WebConfigFile], authority: Authority) -> None:
    text = (
        SERVER
        + CLIENTS
        + "RequireAndVerifyClientCert\n  client_allowed_sans: [prom.example.org, '::1', a@example.org, 'spiffe://x/y']\n"
    )
    allowed: list[x509.GeneralName] = [
        x509.DNSName("prom.example.org"),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.RFC822Name("a@example.org"),
        x509.UniformResourceIdentifier("spiffe://x/y"),
    ]
    async with secured(configured(text)) as port:
        for number, name in enumerate(allowed):
            assert await healthy(port, authority.client(f"client{number}", name)) == 200
        assert await healthy(port, authority.client("other", x509.DNSName("other.example.org"))) == 403
        assert await healthy(port, authority.client("nameless")) == 403


def test_names_of_other_kinds_do_not_count() -> None:
    names = (("DNS", "a"), ("Registered ID", "1.2"), ("IP Address", "0:0:0:0:0:0:0:1"), ("DirName", (("x", "y"),)))
    assert subject_alternative_names({"subjectAltName": names}) == {"a", "::1"}
    assert subject_alternative_names({}) == frozenset()


async def test_versions_suites_and_curves(configured: Callable[[str], WebConfigFile], authority: Authority) -> None:
    text = (
        SERVER + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"
        "  curve_preferences: [X25519]\n  prefer_server_cipher_suites: false\n"
    )
    async with secured(configured(text)) as port:
        client = authority.client()
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        assert writer.get_extra_info("cipher")[:2] == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2")
        writer.close()
        await writer.wait_closed()
        client.minimum_version = ssl.TLSVersion.TLSv1_3
        assert await refused(port, client)
        other_curve = authority.client()
        other_curve.set_ecdh_curve("prime256v1")
        assert await refused(port, other_curve)


async def test_http_1_1_is_what_alpn_agrees_on(
    configured: Callable[[str], WebConfigFile], authority: Authority
) -> None:
    client = authority.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    async with secured(configured(SERVER)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.close()
        await writer.wait_closed()


def test_files_of_no_use_are_named(configured: Callable[[str], WebConfigFile], authority: Authority) -> None:
    authority.sign("locked", password=b"secret")
    authority.sign("other")
    expected = {
        SERVER.replace("server.pem", "none.pem"): "none.pem cannot be read: No such file or directory",
        SERVER.replace("server.key", "other.key"): "cannot be used: key values mismatch",
        SERVER.replace("server.key", "server.pem"): "tls_server_config.cert_file: cannot be used: ",
        SERVER.replace("server.", "locked."): "the key is encrypted, which is not supported",
        SERVER + "  client_ca_file: server.key\n  client_auth_type: VerifyClientCertIfGiven": ".client_ca_file: cannot",
        SERVER + "  client_ca: nothing\n  client_auth_type: VerifyClientCertIfGiven": ".client_ca: cannot be used: ",
        "tls_server_config: {cert: a, key: b}": "tls_server_config.cert: cannot be used: ",
    }
    for text, message in expected.items():
        with pytest.raises(ConfigError) as error:
            configured(text)
        assert message in str(error.value)


def test_check_tries_the_certificates(configured: Callable[[str], WebConfigFile], tmp_path: Path) -> None:
    configured(SERVER)
    assert check(str(tmp_path / "web.yml")).tls_server_config.enabled
    (tmp_path / "server.key").unlink()
    with pytest.raises(ConfigError, match=r"server\.key cannot be read"):
        check(str(tmp_path / "web.yml"))


async def test_nothing_listens_after_the_end(configured: Callable[[str], WebConfigFile], authority: Authority) -> None:
    async with secured(configured(SERVER)) as port:
        pass
    with pytest.raises(ClientConnectorError):
        await healthy(port, authority.client())
