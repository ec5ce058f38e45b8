"""Look up the hardware of training instance types that a price list does not describe.

`hardware.csv` has every type that the SageMaker API accepts for training. ml.X has the hardware of EC2's X according to
AWS's documentation. Accelerators other than GPUs, such as Trainium, are not counted as GPUs. The rows of ml.g7.* are
empty, because AWS has not published their hardware.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources

from exporter.prices import amounts
from exporter.prices.book import NO_HARDWARE, Hardware


@cache
def table() -> Mapping[str, Hardware]:
    """Return the hardware by instance type, from `hardware.csv`."""
    text = resources.files(__package__).joinpath("hardware.csv").read_text(encoding="utf-8")
    return {row["instance_type"]: _hardware(row) for row in csv.DictReader(text.splitlines())}


def hardware_of(instance_type: str, listed: Hardware = NO_HARDWARE) -> Hardware:
    """Return the hardware of a type: `listed`, completed from `hardware.csv`."""
    return listed.completed(table().get(instance_type, NO_HARDWARE))


def _hardware(row: Mapping[str, str]) -> Hardware:
    memory = amounts.memory(f"{row['memory_gib']} GiB")
    return Hardware(amounts.count(row["gpus"]), amounts.count(row["vcpus"]), memory)
