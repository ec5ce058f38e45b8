"""Loads `--web.config.file`: TLS, basic auth, headers and a rate limit in the format of Prometheus's exporter-toolkit.

The file, the certificates and the keys are checked for changes at every connection and request, and reloaded. An
invalid change is logged once, and the previous configuration stays active.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiolimiter import AsyncLimiter

from exporter.config.file import read
from exporter.config.problems import ConfigError
from exporter.process.logs import Log
from exporter.web.config import tls
from exporter.web.config.basicauth import BasicAuthenticator
from exporter.web.config.format import RateLimit, WebConfig, parse
from exporter.web.security import Refusal

__all__ = ["WebConfig", "WebConfigFile", "check"]

_log = Log(__name__)
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="sagemaker-exporter", charset="UTF-8"'}

_Stamp = tuple[int, int, int] | None


def check(path: str) -> WebConfig:
    """Return the configuration in a file, after loading its certificates. Raises ConfigError with all problems."""
    config = _read(path)
    tls.context(config.tls_server_config, path)
    return config


@dataclass(frozen=True, slots=True)
class _Loaded:
    allowed_names: tuple[str, ...]
    context: ssl.SSLContext | None
    limiter: AsyncLimiter | None
    users: Mapping[str, str]
    headers: Mapping[str, str]


class WebConfigFile:
    """Implements `exporter.web.security.WebSecurity` with the current contents of a file."""

    def __init__(self, path: str) -> None:
        """Load the file. Raises ConfigError with all of its problems."""
        self._path = path
        self._authenticator = BasicAuthenticator()
        self._watched: tuple[str, ...] = (path,)
        self._seen: tuple[_Stamp, ...] = ()
        self._loaded = self._load()

    def tls(self) -> ssl.SSLContext | None:
        return self._current().context

    def headers(self) -> Mapping[str, str]:
        return self._current().headers

    async def refusal(self, request: web.Request) -> Refusal | None:
        """Reject a request over the rate limit, without an allowed certificate, or without a valid password."""
        # In this order: the cheap checks protect the expensive one, the comparison of a password.
        loaded = self._current()
        if loaded.limiter is not None:
            if not loaded.limiter.has_capacity():
                return Refusal(429, "Too Many Requests")
            await loaded.limiter.acquire()
        if not _named(request, loaded.allowed_names):
            return Refusal(403, "The client certificate has no name that client_allowed_sans lists.")
        authorization = request.headers.get("Authorization")
        if loaded.users and not await self._authenticator.allows(
            authorization, loaded.users, lambda: request.transport is not None
        ):
            return Refusal(401, "Unauthorized", _CHALLENGE)
        return None

    def _current(self) -> _Loaded:
        if tuple(map(_stamp, self._watched)) != self._seen:
            try:
                self._loaded = self._load()
            except ConfigError as error:
                for problem in error.problems:
                    _log.error("web configuration not reloaded; keeping the previous one", **problem.fields)
            else:
                _log.info("web configuration reloaded", file=self._path)
        return self._loaded

    def _load(self) -> _Loaded:
        # Take the stamps before reading the files, so that a change in between is detected next time.
        self._watched, self._seen = (self._path,), (_stamp(self._path),)
        config = _read(self._path)
        files = config.tls_server_config.files
        self._watched, self._seen = (self._path, *files), (*self._seen, *map(_stamp, files))
        headers = config.http_server_config.headers.model_dump(by_alias=True)
        return _Loaded(
            config.tls_server_config.client_allowed_sans,
            tls.context(config.tls_server_config, self._path),
            _limiter(config.rate_limit),
            {name: stored.get_secret_value() for name, stored in config.basic_auth_users.items()},
            {name: value for name, value in headers.items() if value},
        )


def _read(path: str) -> WebConfig:
    return parse(read(path), path)


def _limiter(limit: RateLimit) -> AsyncLimiter | None:
    return AsyncLimiter(limit.burst, limit.burst * limit.interval) if limit.interval else None


def _stamp(file: str) -> _Stamp:
    """Return a value that changes whenever the file does; None if it is missing."""
    # Follows symbolic links: Kubernetes updates a Secret by replacing one.
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _named(request: web.Request, allowed: tuple[str, ...]) -> bool:
    if not allowed:
        return True
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport is not None else None
    return not tls.subject_alternative_names(certificate or {}).isdisjoint(allowed)
