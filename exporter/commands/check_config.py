"""Reports all problems of configuration files."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from exporter.commands.loading import read, warn_on_standard_error
from exporter.config import Config, ConfigError
from exporter.prices import files as price_files
from exporter.process import output
from exporter.web import config as webconfig


def run(options: argparse.Namespace) -> int:
    """Check a file, and the other files that it or a flag names; print what is wrong, or OK. Raises OutputError."""
    found: list[Config] = []
    fine = _fine(options.file, lambda: found.append(read(options.file, warn_on_standard_error)))
    if prices := next((config.prices.file for config in found), ""):
        fine = _fine(prices, lambda: check_prices(prices)) and fine
    if options.web_config_file:
        fine = _fine(options.web_config_file, lambda: webconfig.check(options.web_config_file)) and fine
    return 0 if fine else 1


def check_prices(file: str) -> None:
    """Check a price file. Raises ConfigError with all of its problems."""
    if wrong := price_files.problems(file, price_files.read(file)):
        raise ConfigError(wrong)


def _fine(file: str, check: Callable[[], object]) -> bool:
    """Check a file; print its problems or OK, and return whether it has none."""
    try:
        check()
    except ConfigError as error:
        output.complain(str(error))
        return False
    output.say(f"{file}: OK")
    return True
