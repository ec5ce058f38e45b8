"""Sends the responses of handlers, also when a handler fails or the client has disconnected.

No exception of a handler reaches aiohttp. aiohttp would store it in the task that raised it, and its traceback refers
to the frames of that task: a reference cycle that keeps the buffers of the response until a full garbage collection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aiohttp import web

from exporter.process.logs import Log
from exporter.web.connection import Connection

_log = Log(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return a response whatever the handler raises. An unexpected error becomes one log line and a plain 500."""
    try:
        return await _watched(request, handler)
    except web.HTTPException as error:
        _forget(error)
        return web.Response(status=error.status, reason=error.reason, body=error.body, headers=error.headers)
    except ConnectionError as error:
        _forget(error)
        # It is not sent: aiohttp notices that the client has disconnected when it tries to.
        return web.Response(status=500)
    except Exception as error:  # noqa: BLE001
        _log.error("a request failed", method=request.method, path=request.path, reason=where(error))
        _forget(error)
        return web.Response(status=500, text="Internal error; see the log of the exporter.\n")


async def stream(request: web.Request, headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send the chunks as they become available, and reset the connection if that fails, so that the client does not
    take a truncated exposition for a complete one. Raises ConnectionResetError."""
    connection = connection_of(request)
    # Before the headers are sent: a failure of the first chunk still becomes a 500.
    first = await anext(chunks, b"")
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    try:
        await response.write(first)
        async for chunk in chunks:
            # A TLS transport accepts and encrypts data even after the client has disconnected.
            connection.check()
            await response.write(chunk)
        connection.check()
        await response.write_eof()
    except BaseException:
        connection.abort()
        raise
    return response


async def send(request: web.Request, body: bytes, headers: Mapping[str, str], status: int) -> web.StreamResponse:
    """Send a response before the handler returns, so that a slow client counts towards the limit of concurrent
    requests until it has read the response."""
    response = web.Response(status=status, body=body, headers=headers)
    await response.prepare(request)
    await response.write_eof()
    return response


def connection_of(request: web.Request) -> Connection:
    """Return the connection of a request. Raises ConnectionResetError if the client has disconnected."""
    transport = request.transport
    connection = None if transport is None else transport.get_protocol()
    if not isinstance(connection, Connection):
        raise ConnectionResetError("the client is gone")
    return connection


async def _watched(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Call a handler, and tell the connection when the request begins and ends."""
    connection = connection_of(request)
    connection.request_began()
    try:
        return await handler(request)
    finally:
        connection.request_ended()


def where(error: BaseException) -> str:
    """Return an unexpected error as its type and its place in the code, without its message, which may hold secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    return type(error).__name__ + place


def _forget(error: BaseException | None) -> None:
    """Drop the tracebacks of an exception and its causes: objects that still refer to the exception, such as the future
    that raised it, would keep the frames and their buffers."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
