"""The catalogue: every group of families that the exporter has, in the order of the exposition.

A group is registered here and nowhere else: the board, the documents and the checks of the configuration follow.
"""

from __future__ import annotations

from typing import Any

from exporter.exposition.family import Family, Group
from exporter.ledger.sums import TOTALS
from exporter.polling.families import TARGETS
from exporter.polling.sources import SOURCES
from exporter.prices.families import HARDWARE, PRICES
from exporter.process.families import PROCESS
from exporter.training.active import ACTIVE
from exporter.training.families import JOBS

GROUPS: tuple[Group[Any], ...] = (JOBS, ACTIVE, TOTALS, PRICES, HARDWARE, TARGETS, SOURCES, PROCESS)
CATALOGUE: tuple[Family[Any], ...] = tuple(family for group in GROUPS for family in group.families)
