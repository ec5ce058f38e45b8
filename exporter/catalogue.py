"""The catalogue: every family the exporter has, in the order of the exposition. A name, its help, its labels and its
value are written here and nowhere else."""

from __future__ import annotations

from typing import Any

from exporter.exposition.family import Family
from exporter.selfmetrics import PROCESS_FAMILIES, TARGET_FAMILIES
from exporter.training.active import FLEET_FAMILIES
from exporter.training.families import JOB_FAMILIES
from exporter.training.totals import TOTAL_FAMILIES

CATALOGUE: tuple[Family[Any], ...] = (
    *JOB_FAMILIES,
    *FLEET_FAMILIES,
    *TOTAL_FAMILIES,
    *TARGET_FAMILIES,
    *PROCESS_FAMILIES,
)

__all__ = ["CATALOGUE", "FLEET_FAMILIES", "JOB_FAMILIES", "PROCESS_FAMILIES", "TARGET_FAMILIES", "TOTAL_FAMILIES"]
