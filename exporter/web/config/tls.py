"""Creates the TLS context for `tls_server_config`, and reads the names in client certificates."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from exporter.config.problems import ConfigError, Problem
from exporter.web.config.format import TlsServer

_PEM = "a PEM file that this process may read"


def context(config: TlsServer, file: str) -> ssl.SSLContext | None:
    """Return the TLS context of a configuration, None without TLS. Raises ConfigError if its files are unusable."""
    if not config.enabled:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version, tls.maximum_version = config.min_version, config.max_version
    # Renegotiation costs the server more than the client; aiohttp speaks HTTP/1.1 only.
    tls.options |= ssl.OP_NO_RENEGOTIATION
    tls.set_alpn_protocols(["http/1.1"])
    if config.cipher_suites:
        tls.set_ciphers(":".join(config.cipher_suites))
    if not config.prefer_server_cipher_suites:
        tls.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if config.curve_preferences:
        tls.set_ecdh_curve(config.curve_preferences)
    _load_pair(tls, config, file)
    _load_authorities(tls, config, file)
    return tls


def _load_pair(tls: ssl.SSLContext, config: TlsServer, file: str) -> None:
    at = "tls_server_config." + ("cert_file" if config.cert_file else "cert")
    with ExitStack() as stack, _located(file, at):
        cert = config.cert_file or stack.enter_context(_in_memory(config.cert))
        key = config.key_file or stack.enter_context(_in_memory(config.key.get_secret_value()))
        for path in (cert, key):
            with open(path, "rb"):
                pass  # Raises an error with the file's name: OpenSSL does not report which of the two is missing.
        tls.load_cert_chain(cert, key, password=_no_password)


def _load_authorities(tls: ssl.SSLContext, config: TlsServer, file: str) -> None:
    at = "tls_server_config." + ("client_ca_file" if config.client_ca_file else "client_ca")
    with _located(file, at):
        if config.client_ca_file:
            tls.load_verify_locations(cafile=config.client_ca_file)
        elif config.client_ca:
            tls.load_verify_locations(cadata=config.client_ca)
    tls.verify_mode = config.client_auth_type


def _no_password() -> str:
    # Without this callback OpenSSL would prompt on the terminal and block.
    raise ValueError("the key is encrypted, which is not supported")


@contextmanager
def _in_memory(pem: str) -> Iterator[str]:
    """Yield a path of a file in memory with a PEM of the configuration."""
    # `load_cert_chain` needs a path, but an inline key must not be written to disk.
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, pem.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _located(file: str, path: str) -> Iterator[None]:
    """Convert errors of the block to ConfigErrors for a key of the file."""
    try:
        yield
    except ssl.SSLError as error:
        reason = (error.reason or "not PEM").replace("_", " ").lower()
        raise ConfigError([Problem(file, path, f"cannot be used: {reason}", _PEM)]) from None
    except OSError as error:
        message = f"{error.filename or 'a file'} cannot be read: {error.strerror}"
        raise ConfigError([Problem(file, path, message, _PEM)]) from None
    except ValueError as error:
        raise ConfigError([Problem(file, path, f"cannot be used: {error}", _PEM)]) from None


def subject_alternative_names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the DNS names, IP addresses, e-mail addresses and URIs of a certificate, as `getpeercert` returns it."""
    names: list[tuple[str, str]] = list(certificate.get("subjectAltName", ()))
    return frozenset(
        str(ipaddress.ip_address(value.strip())) if kind == "IP Address" else value
        for kind, value in names
        if kind in ("DNS", "IP Address", "email", "URI")
    )
