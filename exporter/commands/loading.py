"""Loads the configuration for a command, and says how a warning reaches the user."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from exporter import flags
from exporter.aws.regions import known_regions
from exporter.catalogue import CATALOGUE
from exporter.config import Config, Problem, load
from exporter.process import output
from exporter.process.logs import Log

_log = Log(__name__)
_NAMES = frozenset(family.name for family in CATALOGUE)
_NOTHING: Mapping[str, object] = MappingProxyType({})


def configured(options: argparse.Namespace, defaults: Mapping[str, object] = _NOTHING) -> Config:
    """Return the configuration of a command that polls; flags override the file. Raises ConfigError."""
    return read(options.config_file, _warn_in_log, overrides=flags.overrides(options), defaults=defaults)


def read(file: str | None, warn: Callable[[Problem], None], **options: Any) -> Config:
    """Return the configuration of a file. Raises ConfigError."""
    return load(file, os.environ, known_metrics=_NAMES, known_regions=known_regions(), warn=warn, **options)


def warn_on_standard_error(problem: Problem) -> None:
    """Print a warning about the configuration, for a command whose log is not read."""
    output.complain(f"warning: {problem}")


def _warn_in_log(problem: Problem) -> None:
    _log.warning("a setting may be wrong", **problem.fields)
