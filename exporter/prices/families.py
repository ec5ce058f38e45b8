"""Define the families of prices and hardware, `sagemaker_instance_*`, of the instance types that jobs have used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from exporter.exposition.family import Family, Group, single
from exporter.prices.book import Hardware


@dataclass(frozen=True, slots=True)
class ListPrices:
    """Hold the list prices of an instance type in a region, per instance and hour, by usage."""

    currency: str
    by_usage: Mapping[str, Decimal]


_PRICE: Family[ListPrices] = Family(
    "sagemaker_instance_price_per_hour",
    "gauge",
    "List price of one instance per hour, without prices.adjustments. Only of instance types that jobs have used.",
    ("aws_region", "instance_type"),
    ("usage", "currency"),
    lambda prices: [((usage, prices.currency), float(price)) for usage, price in prices.by_usage.items()],
    policy="prices",
)

PRICES: Group[ListPrices] = Group("Prices", (_PRICE,))


def _hardware(name: str, help_: str, value: Callable[[Hardware], int | None]) -> Family[Hardware]:
    return Family(
        f"sagemaker_instance_{name}",
        "gauge",
        help_,
        ("instance_type",),
        (),
        lambda hardware: single(None if (number := value(hardware)) is None else float(number)),
    )


HARDWARE: Group[Hardware] = Group(
    "Hardware of instance types",
    (
        _hardware("gpus", "GPUs of one instance, other accelerators not counted.", lambda hardware: hardware.gpus),
        _hardware("vcpus", "vCPUs of one instance.", lambda hardware: hardware.vcpus),
        _hardware(
            "memory_bytes",
            "Memory of one instance, in bytes.",
            lambda hardware: hardware.memory_bytes,
        ),
    ),
)
