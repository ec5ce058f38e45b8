"""The routes of the server: what each answers, whom it refuses, and the headers of every answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from exporter.config import Address
from exporter.web import negotiate, page
from exporter.web.answers import Handler, answered, connection_of, send, stream
from exporter.web.pages import Pages, TooManyPagesError
from exporter.web.security import WebSecurity


class Exporter(Protocol):
    """What the server shows of the application."""

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        """The exposition in pieces, compressed if `gzip`."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether every job of every target that does not fail was read once, and for people which targets are waited
        for."""
        ...

    def status(self) -> page.Status:
        """What the status page shows; asked in another thread."""
        ...

    async def reload(self) -> None:
        """Read the configuration again, after this call. Raises ReloadError, the old configuration staying in force."""
        ...


class ReloadError(Exception):
    """A reload that was refused; the message goes to the client."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where and what is served."""

    listen_address: Address | tuple[Address, ...]
    telemetry_path: str = "/metrics"
    lifecycle: bool = False
    """Whether POST /-/reload is answered."""
    prefix: str = ""
    """What the path of every route begins with."""
    external_path: str | None = None
    """The path under which clients see the page, as far as anybody said."""

    @property
    def listen_addresses(self) -> tuple[Address, ...]:
        return (self.listen_address,) if isinstance(self.listen_address, Address) else self.listen_address


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one client, or all of them together, may take. Times in seconds."""

    connections: int = 512
    requests: int = 40
    """Scrapes at a time."""
    pages: int = 100
    """Clients that wait for the status page, or read it, at a time."""
    page_seconds: float = 1.0
    """How long a page that was made is shown to everybody."""
    body_bytes: int = 1024
    header_timeout: float = 10.0
    """For the TLS handshake, the head of a request, its body: each."""
    idle_timeout: float = 120.0
    write_timeout: float = 10.0
    """For a client that takes nothing."""
    answer_timeout: float = 120.0
    """For one scrape as a whole."""
    shutdown_timeout: float = 0.5


def _text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text + "\n", status=status, headers=headers)


def _redirect(request: web.Request, location: str) -> web.Response:
    """A relative location is right behind a proxy, too, that knows the exporter by another path."""
    query = request.rel_url.raw_query_string
    return web.Response(status=302, headers={"Location": f"{location}?{query}" if query else location})


def _too_many(limit: int) -> web.Response:
    return _text(f"Limit of concurrent requests reached ({limit}), try again later.", 503)


class Routes:
    """The handlers of one server."""

    def __init__(
        self,
        exporter: Exporter,
        options: WebOptions,
        security: WebSecurity,
        limits: ConnectionLimits,
    ) -> None:
        self._exporter = exporter
        self._options = options
        self._security = security
        self._limits = limits
        self._scrapes = asyncio.Semaphore(limits.requests)
        self._readers = asyncio.Semaphore(limits.pages)
        self._pages = Pages(lambda query: page.render(exporter.status(), query), keep=limits.page_seconds)

    def application(self) -> web.Application:
        app = web.Application(
            middlewares=[answered, self._guarded],
            client_max_size=self._limits.body_bytes,
        )
        prefix = self._options.prefix
        app.router.add_get(prefix + self._options.telemetry_path, self._metrics)
        app.router.add_get(f"{prefix}/healthz", self._healthz)
        app.router.add_get(f"{prefix}/readyz", self._readyz)
        app.router.add_get(f"{prefix}/favicon.ico", self._favicon)
        app.router.add_post(f"{prefix}/-/reload", self._reload)
        app.router.add_put(f"{prefix}/-/reload", self._reload)
        app.router.add_get(f"{prefix}/", self._page)
        if prefix:
            app.router.add_get("/", self._to_prefix)
            app.router.add_get(prefix, self._to_page)
        app.on_response_prepare.append(self._add_headers)
        app.on_cleanup.append(self._clean_up)
        return app

    async def _clean_up(self, app: web.Application) -> None:
        await self._pages.close()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = await self._security.refusal(request)
        if refusal is not None:
            return _text(refusal.text, refusal.status, refusal.headers)
        if request.can_read_body:
            try:
                async with asyncio.timeout(self._limits.header_timeout):
                    await request.read()
            except TimeoutError as error:
                connection_of(request).abort()
                raise ConnectionResetError("the body did not come") from error
        connection_of(request).request_admitted()
        return await handler(request)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "sagemaker-exporter"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cache-Control"] = "no-store"
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        headers.update(self._security.headers())

    async def _healthz(self, request: web.Request) -> web.Response:
        return _text("ok")

    async def _readyz(self, request: web.Request) -> web.Response:
        ready, text = self._exporter.ready()
        return _text(text, 200 if ready else 503)

    async def _favicon(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _reload(self, request: web.Request) -> web.Response:
        if not self._options.lifecycle:
            return _text("Lifecycle API is not enabled.", 403)
        try:
            await self._exporter.reload()
        except ReloadError as error:
            return _text(f"failed to reload config: {error}", 500)
        return _text("configuration reloaded")

    async def _to_prefix(self, request: web.Request) -> web.Response:
        return _redirect(request, f".{self._options.prefix}/")

    async def _to_page(self, request: web.Request) -> web.Response:
        """The page's links are relative: they need the slash at the end."""
        external, last = self._options.external_path, self._options.prefix.rpartition("/")[2]
        return _redirect(request, f"./{last}/" if external is None else f"{external}/")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if self._readers.locked():
            return _too_many(self._limits.pages)
        async with self._readers:
            try:
                html = await self._pages.get(page.asked(request.query))
            except TooManyPagesError:
                return _text("Too many different pages are asked for, try again later.", 503)
            headers = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
            }
            return await send(request, html, headers)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        spoken = negotiate.exposition_format(",".join(request.headers.getall("Accept", ())))
        gzip = negotiate.accepts_gzip(",".join(request.headers.getall("Accept-Encoding", ())))
        headers = {"Content-Type": spoken.content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            return web.Response(headers=headers)
        if self._scrapes.locked():
            return _too_many(self._limits.requests)
        chunks = self._exporter.metrics(openmetrics=spoken.openmetrics, gzip=gzip)
        # Not with an exit stack: its frame keeps the traceback of what it raises, which is a reference cycle.
        async with self._scrapes, aclosing(chunks), asyncio.timeout(self._limits.answer_timeout):
            return await stream(request, headers, chunks)
