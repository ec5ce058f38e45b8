"""Lists all metrics."""

from __future__ import annotations

import argparse

from exporter.catalogue import GROUPS
from exporter.exposition import catalogue_docs as document
from exporter.process import output


def run(options: argparse.Namespace) -> int:
    """Print the catalogue in the format of `--format`."""
    output.say(document.as_json(GROUPS) if options.format == "json" else document.as_markdown(GROUPS))
    return 0
