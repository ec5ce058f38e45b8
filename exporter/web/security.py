"""The interface of TLS and authentication. `WebConfigFile` implements it with a file, `PlainHttp` without one."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request that is rejected."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class WebSecurity(Protocol):
    """The settings of `--web.config.file`. Called for every connection and request, so that changes apply at once."""

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context for the next connection; None for plain HTTP."""
        ...

    async def refusal(self, request: web.Request) -> Refusal | None:
        """Return the response that rejects this request, or None if it is allowed."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return additional headers for every response."""
        ...


class PlainHttp:
    """Plain HTTP without authentication, the default as in other exporters."""

    def tls(self) -> ssl.SSLContext | None:
        return None

    async def refusal(self, request: web.Request) -> Refusal | None:
        return None

    def headers(self) -> Mapping[str, str]:
        return {}
