"""The hardware of the instance types that train, for what no price list says.

`hardware.csv` has every type that the SageMaker API names for training; ml.X has the hardware of EC2's X, as AWS's
documentation has it. An accelerator that is no GPU, such as Trainium, does not count as one. Nothing is known for sure
of ml.g7.*: they have rows without values.
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
    """Return the hardware of every known type."""
    text = resources.files(__package__).joinpath("hardware.csv").read_text(encoding="utf-8")
    return {row["instance_type"]: _hardware(row) for row in csv.DictReader(text.splitlines())}


def hardware_of(instance_type: str, listed: Hardware = NO_HARDWARE) -> Hardware:
    """Return the hardware of a type: what a price list says, and from the table what it does not say."""
    return listed.completed(table().get(instance_type, NO_HARDWARE))


def _hardware(row: Mapping[str, str]) -> Hardware:
    memory = amounts.memory(f"{row['memory_gib']} GiB")
    return Hardware(amounts.count(row["gpus"]), amounts.count(row["vcpus"]), memory)
