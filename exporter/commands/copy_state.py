"""Copies totals from a state file to a database, or back."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack

from exporter.clock import SystemClock
from exporter.config.database import place_name
from exporter.config.problems import ConfigError, Problem
from exporter.ledger.copying import copy
from exporter.ledger.opening import open_for_copying
from exporter.process import output


def run(options: argparse.Namespace) -> int:
    """Copy, and print how much. Raises ConfigError, StoreError, OutputError."""
    if wrong := list(_problems(options)):
        raise ConfigError(wrong)
    places = (("--from", options.source, None), ("--to", options.destination, SystemClock().time()))
    with ExitStack() as stack:
        source, destination = (
            stack.enter_context(open_for_copying(place, place_name(flag, place), options.password_file, created))
            for flag, place, created in places
        )
        copied = copy(source, destination)
    output.say(f"copied {copied.records} jobs and the totals of {copied.targets} targets")
    return 0


def _problems(options: argparse.Namespace) -> Iterator[Problem]:
    """Yield what is wrong with the flags together."""
    places = {"--from": options.source, "--to": options.destination}
    for flag, place in places.items():
        # As `--to "$DATABASE"` is without the variable; SQLite would take it for a file that it deletes at the end.
        if not place:
            yield Problem("", flag, "is empty", "the path of a file, or the URL of a database")
    if options.source and os.path.realpath(options.source) == os.path.realpath(options.destination):
        yield Problem("", "--to", "is the same place as --from", "a new file or an empty database")
    if options.password_file and not any("://" in place for place in places.values()):
        yield Problem("", "--password-file", "means nothing without a URL", "only beside the URL of a database")
