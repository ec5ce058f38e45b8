"""Run a server with TLS from a web configuration file, and connect clients to it."""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager

from aiohttp import ClientError, ClientSession

from exporter.web.config import WebConfigFile
from exporter.web.routes import ConnectionLimits
from tests.http.fakes import serving

SERVER = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
CLIENTS = "  client_ca_file: ca.pem\n  client_auth_type: "


def secured(configured: WebConfigFile) -> AbstractAsyncContextManager[int]:
    return serving(security=configured, limits=ConnectionLimits(header_timeout=2))


async def healthy(port: int, client: ssl.SSLContext) -> int:
    async with ClientSession() as session, session.get(f"https://127.0.0.1:{port}/healthz", ssl=client) as answer:
        return answer.status


async def refused(port: int, client: ssl.SSLContext) -> bool:
    """Return whether TLS itself fails: in the handshake, or with TLS 1.3 at the first read after it."""
    try:
        await healthy(port, client)
    except ClientError:
        return True
    return False
