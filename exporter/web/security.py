"""What the server asks before it answers; `webconfig` answers it from the file, PlainHttp without one."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class WebSecurity(Protocol):
    """What `--web.config.file` says; asked anew for every connection and request."""

    def tls(self) -> ssl.SSLContext | None:
        """TLS for the next connection; None is plain HTTP."""
        ...

    async def refusal(self, request: web.Request) -> Refusal | None:
        """Why this request is refused, or None."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers of every answer."""
        ...


class PlainHttp:
    """No `--web.config.file`: everybody may read, as with other exporters."""

    def tls(self) -> ssl.SSLContext | None:
        return None

    async def refusal(self, request: web.Request) -> Refusal | None:
        return None

    def headers(self) -> Mapping[str, str]:
        return {}
