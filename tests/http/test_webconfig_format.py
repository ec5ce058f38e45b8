"""Test the format of the web configuration file, and the problems reported for invalid ones."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import ConfigError
from exporter.web.config import WebConfigFile
from exporter.web.config.format import WebConfig, parse

HASH = "$2y$04$N4N5u.Y4JzfZ4Yux9Yh0vuUv0oB7l9vQxJ5Ryz9tTZ9yW8oJ0uZ8e"
PAIR = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


def read(text: str) -> WebConfig:
    return parse(text.encode(), "/etc/exporter/web.yml")


def complaints(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(text)
    return str(error.value)


def test_an_empty_file_is_plain_http_for_everybody() -> None:
    config = read("")
    assert not config.tls_server_config.enabled
    assert not config.basic_auth_users
    assert config.rate_limit.interval == 0


@pytest.mark.parametrize("section", ["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"])
def test_an_empty_section_is_one_left_out(section: str) -> None:
    assert read(f"{section}:\n") == read("")
    assert read(f"{section}: {{}}\n") == read("")


def test_everything_that_is_supported() -> None:
    config = read(
        PAIR + "  client_ca_file: /ca.pem\n"
        "  client_auth_type: RequireAndVerifyClientCert\n"
        "  client_allowed_sans: [prometheus.example.org]\n"
        "  min_version: TLS12\n  max_version: TLS12\n"
        "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n"
        "  prefer_server_cipher_suites: false\n"
        "  curve_preferences: [CurveP384]\n"
        "http_server_config:\n  http2: false\n"
        "  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=31536000\n"
        f"basic_auth_users:\n  alice: {HASH}\n"
        "rate_limit: {interval: 1m30.5s, burst: 20}\n"
    )
    tls = config.tls_server_config
    assert tls.enabled
    assert tls.files == ("/etc/exporter/server.pem", "/etc/exporter/server.key", "/ca.pem")
    assert tls.client_auth_type is ssl.CERT_REQUIRED
    assert tls.min_version is tls.max_version is ssl.TLSVersion.TLSv1_2
    assert tls.cipher_suites == ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305")
    assert tls.curve_preferences == "secp384r1"
    assert config.basic_auth_users["alice"].get_secret_value() == HASH
    assert (config.rate_limit.interval, config.rate_limit.burst) == (90.5, 20)
    assert HASH not in repr(config)


def test_an_empty_list_of_curves_is_no_choice() -> None:
    assert read(PAIR + "  curve_preferences: []\n").tls_server_config.curve_preferences is None


def test_all_that_is_wrong_is_reported_together_with_key_and_line() -> None:
    text = complaints(PAIR + "  min_version: TLS9\nhttp_server_config:\n  http3: true\nbasic_auth:\n  a: b\n")
    expected = (
        '/etc/exporter/web.yml:4: tls_server_config.min_version: "TLS9" is not a version of TLS'
        " (allowed: TLS12, TLS13)\n"
        "/etc/exporter/web.yml:6: http_server_config.http3: unknown key, did you mean http2?"
        " (allowed: http2, headers)\n"
        "/etc/exporter/web.yml:7: basic_auth: unknown key, did you mean basic_auth_users? "
        "(allowed: tls_server_config, http_server_config, basic_auth_users, rate_limit)"
    )
    assert text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tls_server_config: [1]", "1: tls_server_config: is a list, not a mapping"),
        ("tls_server_config: {min_version: TLS12}", "1: tls_server_config: needs one certificate"),
        ("tls_server_config: {cert_file: a}", "1: tls_server_config: needs one key"),
        (PAIR + "  cert: PEM", "2: tls_server_config: needs one certificate"),
        (PAIR + "  key: PEM", "2: tls_server_config: needs one key"),
        (PAIR + "  certfile: x", "4: tls_server_config.certfile: unknown key, did you mean cert_file? (allowed: ce"),
        (PAIR + "  cert: 7", "4: tls_server_config.cert: is a number, not text"),
        (PAIR + "  client_ca_file: 7", "4: tls_server_config.client_ca_file: 7 is not a path"),
        (PAIR + "  min_version: TLS10", '4: tls_server_config.min_version: "TLS10" is broken and not supported'),
        (PAIR + "  min_version: TLS13\n  max_version: TLS12", "has a min_version above its max_version"),
        (PAIR + "  client_auth_type: RequireAnyClientCert", "without verifying them, which is not supported"),
        (PAIR + "  client_auth_type: RequestClientCert", "without verifying them, which is not supported"),
        (PAIR + "  client_auth_type: [x]", "4: tls_server_config.client_auth_type: a list is not a choice"),
        (PAIR + "  client_auth_type: RequireAndVerifyClientCert", "without authorities to verify by"),
        (PAIR + "  client_ca_file: ca.pem", "asks no client for a certificate"),
        (
            PAIR + "  client_ca_file: a\n  client_ca: b\n  client_auth_type: VerifyClientCertIfGiven",
            "has two sets of client authorities",
        ),
        (
            PAIR + "  client_ca: b\n  client_auth_type: VerifyClientCertIfGiven\n  client_allowed_sans: [x]",
            "has client_allowed_sans but requires no certificate",
        ),
        (PAIR + "  client_allowed_sans: x", "4: tls_server_config.client_allowed_sans: is text, not a list"),
        (PAIR + "  cipher_suites: [TLS_AES_128_GCM_SHA256]", "is a suite of TLS 1.3, which cannot be selected"),
        (PAIR + "  cipher_suites:\n  - TLS_RSA_WITH_RC4_128_SHA", "5: tls_server_config.cipher_suites[0]: "),
        (PAIR + "  prefer_server_cipher_suites: maybe", '4: tls_server_config.prefer_server_cipher_suites: "maybe" is'),
        (PAIR + "  curve_preferences: [CurveP256, X25519]", "names several curves; Python's TLS supports one"),
        (PAIR + "  curve_preferences: [Curve448]", '"Curve448" is not a supported curve'),
        (PAIR + "  curve_preferences: X25519", "is text, not a list"),
        ("http_server_config: {http2: true}", "1: http_server_config.http2: HTTP/2 is not supported"),
        ("http_server_config: {http2: 1}", "1: http_server_config.http2: 1 is not a boolean"),
        ("http_server_config: {headers: {X-Mine: x}}", "1: http_server_config.headers.X-Mine: unknown key (allowed: C"),
        (
            "http_server_config: {headers: x}",
            "is text, not a mapping (allowed: the keys Content-Security-Policy, X-F",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: never}}",
            '"never" is not a choice (allowed: deny or sameorigin, or',
        ),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb"}}', "is not the value of a header"),
        ("basic_auth_users: {alice: secret}", "1: basic_auth_users.alice: is not a bcrypt hash"),
        ("basic_auth_users: {'a:b': x}", '1: basic_auth_users."a:b": is not a name that basic auth can carry'),
        ("basic_auth_users: [alice]", "1: basic_auth_users: is a list, not a mapping"),
        ("rate_limit: {interval: 1s}", "1: rate_limit: has an interval but no burst"),
        ("rate_limit: {interval: 1d, burst: 1}", '1: rate_limit.interval: "1d" is not a duration'),
        ("rate_limit: {interval: 5, burst: 1}", "1: rate_limit.interval: 5 is not a duration"),
        ("rate_limit: {interval: 2h, burst: 1}", '1: rate_limit.interval: "2h" is out of range'),
        ("rate_limit: {burst: -1}", "1: rate_limit.burst: -1 is out of range"),
        ("- a list", "1: is a list, not a mapping"),
        ("a: [", "broken YAML"),
        ("rate_limit: {burst: 1, burst: 2}", "is written twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, expected: str) -> None:
    assert expected in complaints(text)


def test_secrets_are_not_repeated() -> None:
    text = complaints("basic_auth_users: {alice: hunter2}\ntls_server_config: {key: [hunter2], cert: x, key_file: y}")
    assert "basic_auth_users.alice" in text
    assert "tls_server_config.key" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("0", 0), ('"0"', 0), ("1s", 1), ("500ms", 0.5), ("1.5s", 1.5), ("1h", 3600), ("250us", 0.00025), ("1µs", 1e-6)],
)
def test_intervals_are_written_as_go_writes_them(written: str, seconds: float) -> None:
    assert read(f"rate_limit: {{interval: {written}, burst: 1}}").rate_limit.interval == pytest.approx(seconds)


@given(st.recursive(st.text("abc:-{}[] \n$2y'\"", max_size=9), lambda inner: st.lists(inner, max_size=3)))
def test_any_text_is_read_or_refused(value: object) -> None:
    try:
        read(f"basic_auth_users: {value}\nrate_limit: {value}\n")
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml: cannot be read: No such file or directory"):
        WebConfigFile(str(tmp_path / "web.yml"))
