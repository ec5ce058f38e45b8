"""Serves the metrics of simulated jobs until a signal stops it."""

from __future__ import annotations

import argparse

from exporter import demo
from exporter.commands.loading import configured
from exporter.commands.serve import serve
from exporter.config import Config
from exporter.process import stopping


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises UserError."""
    stopping.run(lambda: _simulate(options))
    return 0


async def _simulate(options: argparse.Namespace) -> None:
    def load() -> Config:
        return demo.own_targets(configured(options, demo.SETTINGS))

    async with demo.simulated(demo.Demo(options.jobs, options.seed, options.speed)) as clock:
        await serve(options, clock, load, lambda config: demo.refuse_real_totals(config.state, clock))
