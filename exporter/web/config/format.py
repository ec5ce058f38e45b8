"""Defines the keys of a web configuration file, which are those of Prometheus's exporter-toolkit.

Settings that Python's TLS or this server does not support are rejected rather than ignored: unverified client
certificates, TLS below 1.2, a selection of TLS 1.3 suites, several curves, HTTP/2.
"""

from __future__ import annotations

import os
import ssl
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator

from exporter.config import located, refusals
from exporter.config.model import SettingsModel
from exporter.config.problems import ConfigError
from exporter.config.refusals import Source
from exporter.config.syntax import Whole, listed, refused
from exporter.web.config import syntax

_Text = Annotated[str, BeforeValidator(syntax.text)]
_Secret = Annotated[SecretStr, BeforeValidator(syntax.secret)]
_File = Annotated[str, BeforeValidator(syntax.path)]
_Version = Annotated[ssl.TLSVersion, BeforeValidator(syntax.version)]
_Suites = Annotated[tuple[Annotated[str, BeforeValidator(syntax.suite)], ...], BeforeValidator(listed)]
_Names = Annotated[tuple[_Text, ...], BeforeValidator(listed)]
_Header = Annotated[str, BeforeValidator(syntax.header)]
_User = Annotated[str, BeforeValidator(syntax.user)]
_Hash = Annotated[SecretStr, BeforeValidator(syntax.bcrypt_hash)]


class TlsServer(SettingsModel):
    """`tls_server_config`. TLS is enabled if any of its keys is set."""

    cert: _Text = ""
    key: _Secret = SecretStr("")
    client_ca: _Text = ""
    cert_file: _File = ""
    key_file: _File = ""
    client_ca_file: _File = ""
    client_auth_type: Annotated[ssl.VerifyMode, BeforeValidator(syntax.client_auth)] = ssl.CERT_NONE
    client_allowed_sans: _Names = ()
    min_version: _Version = ssl.TLSVersion.TLSv1_2
    max_version: _Version = ssl.TLSVersion.TLSv1_3
    cipher_suites: _Suites = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: Annotated[str | None, BeforeValidator(syntax.curves)] = None

    @property
    def enabled(self) -> bool:
        return bool(self.model_fields_set)

    @property
    def files(self) -> tuple[str, ...]:
        """Return the paths of the certificates and the key."""
        return tuple(file for file in (self.cert_file, self.key_file, self.client_ca_file) if file)

    @model_validator(mode="after")
    def _pair(self) -> TlsServer:
        if self.enabled and bool(self.cert) == bool(self.cert_file):
            raise refused("needs one certificate", "cert_file or cert")
        if self.enabled and bool(self.key.get_secret_value()) == bool(self.key_file):
            raise refused("needs one key", "key_file or key")
        return self

    @model_validator(mode="after")
    def _clients(self) -> TlsServer:
        authorities = bool(self.client_ca) + bool(self.client_ca_file)
        if authorities > 1:
            raise refused("has two sets of client authorities", "client_ca_file or client_ca")
        if authorities and self.client_auth_type == ssl.CERT_NONE:
            raise refused("has client authorities but asks no client for a certificate", "a client_auth_type")
        if not authorities and self.client_auth_type != ssl.CERT_NONE:
            raise refused("verifies clients without authorities to verify by", "client_ca_file or client_ca")
        if self.client_allowed_sans and self.client_auth_type != ssl.CERT_REQUIRED:
            allowed = "client_auth_type: RequireAndVerifyClientCert"
            raise refused("has client_allowed_sans but requires no certificate", allowed)
        return self

    @model_validator(mode="after")
    def _versions(self) -> TlsServer:
        if self.min_version > self.max_version:
            raise refused("has a min_version above its max_version", "min_version at most max_version")
        return self


class Headers(SettingsModel):
    """`http_server_config.headers`. An empty value keeps the server's own header."""

    content_security_policy: _Header = Field("", alias="Content-Security-Policy")
    x_frame_options: Literal["", "deny", "sameorigin"] = Field("", alias="X-Frame-Options")
    x_content_type_options: Literal["", "nosniff"] = Field("", alias="X-Content-Type-Options")
    x_xss_protection: _Header = Field("", alias="X-XSS-Protection")
    strict_transport_security: _Header = Field("", alias="Strict-Transport-Security")


class HttpServer(SettingsModel):
    """`http_server_config`."""

    http2: Annotated[bool, BeforeValidator(syntax.http2)] = False
    headers: Headers = Headers()


class RateLimit(SettingsModel):
    """`rate_limit`: a token bucket of `burst` requests that gains one per `interval` (seconds; 0 for no limit)."""

    interval: Annotated[float, BeforeValidator(syntax.interval)] = 0.0
    burst: Annotated[int, BeforeValidator(Whole(0, 1_000_000))] = 0

    @model_validator(mode="after")
    def _some_burst(self) -> RateLimit:
        if self.interval and not self.burst:
            raise refused("has an interval but no burst, so every request would be rejected", "a burst of 1 or more")
        return self


class WebConfig(SettingsModel):
    """A web configuration file."""

    tls_server_config: TlsServer = TlsServer()
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: Annotated[dict[_User, _Hash], BeforeValidator(syntax.users)] = Field(default_factory=dict)
    rate_limit: RateLimit = RateLimit()


def parse(data: bytes, file: str) -> WebConfig:
    """Return the configuration in `data`, the contents of `file`. Raises ConfigError with all problems."""
    document, problems = located.parse(data, file)
    try:
        # Paths in the file are relative to its directory, as in the exporter-toolkit.
        config = WebConfig.model_validate(document.value, context={"directory": os.path.dirname(file)})
    except ValidationError as error:
        problems += refusals.problems(error, Source(file, document, root=WebConfig))
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return config
