"""Registers every group of families, in the order of the exposition.

A group is registered only here: the board, the documents and the validation of the configuration use this list.
"""

from __future__ import annotations

from typing import Any

from exporter.cloudwatch.families import ALGORITHM_METRICS, REQUESTED, UTILIZATION
from exporter.exposition.family import Family, Group
from exporter.ledger.sums import TOTALS
from exporter.polling.families import TARGETS
from exporter.polling.sources import SOURCES
from exporter.prices.families import HARDWARE, PRICES
from exporter.process.families import PROCESS
from exporter.quotas.families import QUOTAS
from exporter.replicas.families import HELD
from exporter.training.active import ACTIVE
from exporter.training.families import JOBS

# The order decides which families a reader of /metrics sees first: jobs before the exporter itself.
GROUPS: tuple[Group[Any], ...] = (
    JOBS,
    UTILIZATION,
    ALGORITHM_METRICS,
    ACTIVE,
    TOTALS,
    PRICES,
    HARDWARE,
    QUOTAS,
    HELD,
    TARGETS,
    SOURCES,
    REQUESTED,
    PROCESS,
)
CATALOGUE: tuple[Family[Any], ...] = tuple(family for group in GROUPS for family in group.families)
