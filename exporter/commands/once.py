"""Polls every target once and prints the metrics."""

from __future__ import annotations

import argparse

from exporter.app import App
from exporter.clock import SystemClock
from exporter.commands.loading import configured
from exporter.config import Config
from exporter.process import output, stopping


def run(options: argparse.Namespace) -> int:
    """Return 0 if every target could be polled. Raises UserError, OutputError."""
    config = configured(options)
    well, metrics = stopping.run(lambda: stopping.until_stopped(_poll_once(config)))
    # Written outside of the event loop, so that a signal interrupts a write that blocks.
    output.write(metrics)
    return 0 if well else 1


async def _poll_once(config: Config) -> tuple[bool, list[bytes]]:
    async with App.open(config, SystemClock()) as app:
        well = await app.once()
        return well, [piece async for piece in app.board.metrics(openmetrics=False, gzip=False)]
