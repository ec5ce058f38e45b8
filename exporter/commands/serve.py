"""Polls the configured targets and serves their metrics until a signal stops it."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from exporter.clock import Clock, SystemClock
from exporter.commands.announcing import announcing
from exporter.commands.loading import configured
from exporter.config import Config
from exporter.config.watched import WatchedFile
from exporter.process import files, stopping
from exporter.service import Service
from exporter.serving import serve_until_stopped
from exporter.web.config import WebConfigFile


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises UserError."""
    files.allow_many()
    stopping.run(lambda: serve(options, SystemClock(), lambda: configured(options)))
    return 0


async def serve(
    options: argparse.Namespace,
    clock: Clock,
    load: Callable[[], Config],
    check: Callable[[Config], Awaitable[None]] | None = None,
) -> None:
    """Serve by this clock what `load` returns, once `check` found nothing wrong with it. Raises UserError."""
    security = WebConfigFile(options.web_config_file) if options.web_config_file else None
    file = WatchedFile(options.config_file, options.config_auto_reload_interval, clock, load)
    service = Service(file.load, clock)
    if check:
        await check(service.config)
    say = announcing(service.config, security, options.log_format)
    await serve_until_stopped(service, options.web_enable_lifecycle, security, say, file)
