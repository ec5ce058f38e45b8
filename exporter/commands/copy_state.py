"""Copies totals from a state file to a database, or back."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from exporter.clock import SystemClock
from exporter.config.database import place_name
from exporter.config.problems import ConfigError, Problem
from exporter.ledger.copying import copy
from exporter.ledger.opening import open_for_copying
from exporter.process import output


def run(options: argparse.Namespace) -> int:
    """Copy, and print how much. Raises ConfigError, StoreError, OutputError."""
    places = (("--from", options.source, None), ("--to", options.destination, SystemClock().time()))
    if options.password_file and not any("://" in place for _, place, _ in places):
        allowed = "only beside the URL of a database"
        raise ConfigError([Problem("", "--password-file", "means nothing without a URL", allowed)])
    with ExitStack() as stack:
        source, destination = (
            stack.enter_context(open_for_copying(place, place_name(flag, place), options.password_file, created))
            for flag, place, created in places
        )
        copied = copy(source, destination)
    output.say(f"copied {copied.records} jobs and the totals of {copied.targets} targets")
    return 0
