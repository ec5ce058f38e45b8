"""Prints where the exporter listens."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from exporter.config import Config
from exporter.process import output
from exporter.process.logs import Log
from exporter.process.output import OutputError
from exporter.web.config import WebConfigFile

_log = Log(__name__)


def announcing(
    config: Config, security: WebConfigFile | None, style: str
) -> Callable[[tuple[tuple[str, int], ...]], None]:
    """Return a function that prints the URLs of the addresses that the server is bound to."""
    scheme, web = "https" if security and security.tls() else "http", config.web

    def say(bound: tuple[tuple[str, int], ...]) -> None:
        for host, port in bound:
            name = "localhost" if ip_address(host).is_unspecified else f"[{host}]" if ":" in host else host
            root = f"{scheme}://{name}:{port}{web.prefix}"
            metrics, status = f"{root}{web.telemetry_path}", f"{root}/"
            if style == "json":
                # Container runtimes merge standard output and error, and a JSON log must have no other lines.
                _log.info("listening", metrics=metrics, status=status)
                continue
            try:
                output.say(f"metrics at {metrics}, status at {status}")
            except OutputError as error:
                _log.warning("listening", metrics=metrics, status=status, reason=str(error))

    return say
