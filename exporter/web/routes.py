"""The routes of the server, its limits on concurrent requests, and the headers of every response."""

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
    """The application as the server uses it."""

    def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        """Yield the exposition in chunks, compressed if `gzip`."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Return whether every job was read once, except those of failing targets, and a text that names the targets
        that are not ready."""
        ...

    def status(self) -> page.Status:
        """Return the data of the status page. Called in another thread."""
        ...

    def job(self, account: str, region: str, name: str) -> page.JobStatus:
        """Return the data of the page of a job, which may be unknown. Called in another thread."""
        ...

    async def reload(self) -> None:
        """Read the configuration again, after this call. Raises ReloadError; the old one then stays active."""
        ...


class ReloadError(Exception):
    """A reload failed. The message is sent to the client."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """The addresses and paths to serve."""

    listen_address: Address | tuple[Address, ...]
    telemetry_path: str = "/metrics"
    lifecycle: bool = False
    """Whether POST /-/reload is enabled."""
    prefix: str = ""
    """The prefix of all routes."""
    external_path: str | None = None
    """The path under which clients reach the status page; None if it is not configured."""

    @property
    def listen_addresses(self) -> tuple[Address, ...]:
        """Return the addresses to listen on, one or more."""
        return (self.listen_address,) if isinstance(self.listen_address, Address) else self.listen_address


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on clients. Times are in seconds."""

    connections: int = 512
    requests: int = 40
    """Concurrent scrapes; the default is node_exporter's."""
    pages: int = 100
    """Clients that concurrently wait for the status page or read it."""
    page_seconds: float = 1.0
    """How long a rendered page is cached."""
    body_bytes: int = 1024
    header_timeout: float = 10.0
    """For each of the TLS handshake, the head of a request, and its body."""
    idle_timeout: float = 120.0
    write_timeout: float = 10.0
    """For a client that does not read."""
    answer_timeout: float = 120.0
    """For a whole scrape."""
    shutdown_timeout: float = 0.5


def _text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text + "\n", status=status, headers=headers)


def _redirect(request: web.Request, location: str) -> web.Response:
    """Return a redirect that keeps the query."""
    # A relative location is also correct behind a proxy that serves the exporter under another path.
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
        self._pages = Pages(self._render, keep=limits.page_seconds)

    def application(self) -> web.Application:
        """Return the application with all routes."""
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
        app.router.add_get(f"{prefix}/", self._status_page)
        app.router.add_get(f"{prefix}/job", self._job_page)
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
        # No route needs a body. Read it, within its limits, so that the connection can be reused.
        if request.can_read_body:
            try:
                async with asyncio.timeout(self._limits.header_timeout):
                    await request.read()
            except TimeoutError as error:
                connection_of(request).abort()
                raise ConnectionResetError("the request body was not received in time") from error
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
        """Redirect to the status page with a trailing slash, which its relative links need."""
        external, last = self._options.external_path, self._options.prefix.rpartition("/")[2]
        return _redirect(request, f"./{last}/" if external is None else f"{external}/")

    async def _status_page(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, page.Query.of(request.query))

    async def _job_page(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, page.JobQuery.of(request.query))

    def _render(self, asked: page.Query | page.JobQuery) -> tuple[int, bytes]:
        """Return the HTTP status and the HTML of a page. Called in another thread."""
        if isinstance(asked, page.Query):
            return 200, page.render(self._exporter.status(), asked).encode()
        job = self._exporter.job(asked.account, asked.region, asked.name)
        return 200 if job.found else 404, page.render_job(job, asked).encode()

    async def _page(self, request: web.Request, asked: page.Query | page.JobQuery) -> web.StreamResponse:
        if self._readers.locked():
            return _too_many(self._limits.pages)
        async with self._readers:
            try:
                status, html = await self._pages.get(asked)
            except TooManyPagesError:
                return _text("Too many different pages are being requested, try again later.", 503)
            headers = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
            }
            return await send(request, html, headers, status)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        spoken = negotiate.exposition_format(",".join(request.headers.getall("Accept", ())))
        gzip = negotiate.accepts_gzip(",".join(request.headers.getall("Accept-Encoding", ())))
        headers = {"Content-Type": spoken.content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        # aiohttp routes HEAD to the same handler: answer it without rendering the exposition.
        if request.method == "HEAD":
            return web.Response(headers=headers)
        if self._scrapes.locked():
            return _too_many(self._limits.requests)
        chunks = self._exporter.metrics(openmetrics=spoken.openmetrics, gzip=gzip)
        # Not an exit stack: its frame keeps the traceback of the exception that it raises, which is a reference cycle.
        async with self._scrapes, aclosing(chunks), asyncio.timeout(self._limits.answer_timeout):
            return await stream(request, headers, chunks)
