"""Asks AWS everything once, and prints a report that may be published."""

from __future__ import annotations

import argparse

from exporter.clock import SystemClock
from exporter.commands.check_config import check_prices
from exporter.commands.loading import read, warn_on_standard_error
from exporter.doctor.examination import examine
from exporter.doctor.report import markdown
from exporter.process import logs, output, stopping


def run(options: argparse.Namespace) -> int:
    """Return 0 if everything that the configuration needs is there. Raises UserError, OutputError."""
    # Debug lines name accounts and jobs, and the log is likely to be published together with the report.
    logs.configure("error", options.log_format)
    config = read(options.config_file, warn_on_standard_error)
    if config.prices.file:
        check_prices(config.prices.file)
    findings = stopping.run(lambda: stopping.until_stopped(examine(config, SystemClock())))
    output.say(markdown(findings, config))
    return 0 if findings.complete else 1
