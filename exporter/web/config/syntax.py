"""Validates the values of a web configuration file, and translates Go's names of TLS settings for Python."""

from __future__ import annotations

import os
import re
import ssl
from decimal import Decimal

from pydantic import ValidationInfo

from exporter.config.problems import kind, quote
from exporter.config.syntax import refused

# OpenSSL's names of the cipher suites below TLS 1.3 that Go considers secure, by Go's names.
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_TLS13_SUITE = re.compile(r"TLS_(?:AES|CHACHA20)_\w+")
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = {"RequestClientCert", "RequireAnyClientCert", "RequireClientCert"}
_BCRYPT = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_QUANTITY = re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{0,15}})?)({'|'.join(_UNITS)})")
_INTERVALS = "a duration as Go writes it, such as 1s, 500ms or 1m30s, at most 1h; 0 for no limit"


def text(value: object) -> str:
    if not isinstance(value, str):
        raise refused(f"is {kind(value)}, not text", "text")
    return value


def secret(value: object) -> str:
    """Validate text. Errors do not repeat it."""
    return text(value)


def path(value: object, info: ValidationInfo) -> str:
    """Return the path of a file, which is relative to the directory of the web configuration file."""
    if not isinstance(value, str) or "\0" in value:
        raise refused(f"{quote(value)} is not a path", "the path of a file, relative to this one")
    directory = (info.context or {}).get("directory", "")
    return os.path.join(directory, value) if value else ""


def client_auth(value: object) -> ssl.VerifyMode:
    allowed = ", ".join(_CLIENT_AUTH)
    if isinstance(value, str) and value in _UNVERIFIED:
        raise refused(f"{quote(value)} accepts certificates without verifying them, which is not supported", allowed)
    if not isinstance(value, str) or value not in {"", *_CLIENT_AUTH}:
        raise refused(f"{quote(value)} is not a choice", allowed)
    return _CLIENT_AUTH[value or "NoClientCert"]


def version(value: object) -> ssl.TLSVersion:
    if value in ("TLS10", "TLS11"):
        raise refused(f"{quote(value)} is broken and not supported", ", ".join(_VERSIONS))
    if not isinstance(value, str) or value not in _VERSIONS:
        raise refused(f"{quote(value)} is not a version of TLS", ", ".join(_VERSIONS))
    return _VERSIONS[value]


def suite(value: object) -> str:
    """Return OpenSSL's name of a cipher suite of TLS 1.2."""
    if not isinstance(value, str) or value not in _SUITES:
        # Python's ssl cannot select among them: it would enable all.
        never = isinstance(value, str) and _TLS13_SUITE.fullmatch(value)
        why = "is a suite of TLS 1.3, which cannot be selected" if never else "is not a supported cipher suite"
        raise refused(f"{quote(value)} {why}", ", ".join(_SUITES))
    return _SUITES[value]


def curves(value: object) -> str | None:
    """Return OpenSSL's name of the only curve; None for OpenSSL's default curves."""
    if not isinstance(value, list):
        raise refused(f"is {kind(value)}, not a list", "a list")
    if len(value) > 1:
        raise refused("names several curves; Python's TLS supports one or its defaults", "a list of one curve")
    for curve in value:
        if not isinstance(curve, str) or curve not in _CURVES:
            raise refused(f"{quote(curve)} is not a supported curve", ", ".join(_CURVES))
        return _CURVES[curve]
    return None


def http2(value: object) -> bool:
    if value is True:
        raise refused("HTTP/2 is not supported", "false, or no such key")
    if value is not False:
        raise refused(f"{quote(value)} is not a boolean", "false")
    return False


def header(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise refused(f"{quote(value)} is not the value of a header", "printable ASCII characters on one line")
    return value


def bcrypt_hash(value: object) -> str:
    """Validate the hash of a password. Errors do not repeat it."""
    if not isinstance(value, str) or not _BCRYPT.fullmatch(value):
        raise refused("is not a bcrypt hash", "what `htpasswd -nB USER` prints after the colon, $2y$...")
    return value


def user(value: str) -> str:
    if ":" in value or not value:
        raise refused("is not a name that basic auth can carry", "a name without a colon")
    return value


def users(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(f"is {kind(value)}, not a mapping", "USER: HASH")
    return value


def interval(value: object) -> float:
    """Return a duration in Go's format in seconds."""
    if value in ("", "0") or (type(value) is int and value == 0):
        return 0.0
    quantities = _QUANTITY.findall(value) if isinstance(value, str) else []
    if not quantities or "".join(number + unit for number, unit in quantities) != value:
        raise refused(f"{quote(value)} is not a duration", _INTERVALS)
    seconds = float(sum(Decimal(number) * _UNITS[unit] for number, unit in quantities))
    if not 0 <= seconds <= 3600:
        raise refused(f"{quote(value)} is out of range", _INTERVALS)
    return seconds
