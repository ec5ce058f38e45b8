"""AWS's Service Quotas API: ListServiceQuotas of SageMaker, with the 1,800 entries that readers of the real list met.

A quota without an applied value is not in the list. Names, values and codes are invented where nothing public has them.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from exporter.simulator.errors import ApiError

Wire = dict[str, Any]

SERVICE = "sagemaker"
OPERATION = "ListServiceQuotas"
_ALL_INSTANCES = "Number of instances across all training jobs"
_NAMES = {
    "training": "{} for training job usage",
    "spot_training": "{} for spot training job usage",
    "warm_pool": "{} for training warm pool usage",
}
# What else the list has for each instance type.
_OTHERS = (
    "{} for processing job usage",
    "{} for transform job usage",
    "{} for endpoint usage",
    "{} for cluster usage",
    "{} for spot cluster usage",
    "{} for notebook instance usage",
    "Studio JupyterLab Apps running on {} instances",
    "RSessionGateway Apps running on {} instances",
)
_FOR_THE_ACCOUNT = (
    ("Number of instances across all processing jobs", 100.0),
    ("Number of instances across all transform jobs", 100.0),
    ("Maximum number of instances per training job", 20.0),
    ("Longest run time for a training job", 432000.0),
    ("Number of endpoints", 100.0),
)
_FAMILIES = ("c4", "c5", "c5d", "c5n", "c6i", "c7i", "g4dn", "g5", "g6", "g6e", "m4", "m5", "m5d", "m6i", "m7i", "r5")
_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge")
_SPECIAL = (
    *("p3.2xlarge", "p3.16xlarge", "p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge", "p5e.48xlarge"),
    *("c5n.18xlarge", "c5.9xlarge", "c5.18xlarge", "trn1.2xlarge", "trn1.32xlarge"),
)
TYPES = tuple(
    dict.fromkeys(
        f"ml.{name}" for name in (*_SPECIAL, *(f"{family}.{size}" for family in _FAMILIES for size in _SIZES))
    )
)
# Codes that are public.
_CODES = {_ALL_INSTANCES: "L-00C91CB5", "ml.g4dn.xlarge for training job usage": "L-3F53BF0F"}


# Just above what some 40 jobs in two regions hold at a time: AWS would have refused the jobs above a quota.
_TRAINING = {
    "ml.c5.2xlarge": 16.0,
    "ml.c5n.18xlarge": 12.0,
    "ml.g4dn.xlarge": 20.0,
    "ml.g5.xlarge": 10.0,
    "ml.g5.2xlarge": 16.0,
    "ml.g5.12xlarge": 20.0,
    "ml.m5.large": 20.0,
    "ml.m5.xlarge": 20.0,
    "ml.m5.4xlarge": 10.0,
    "ml.p3.2xlarge": 20.0,
    "ml.p4d.24xlarge": 16.0,
}


def _small() -> Mapping[str, float]:
    return MappingProxyType(dict.fromkeys(_TRAINING, 10.0))


@dataclass(frozen=True, slots=True)
class Quotas:
    """The applied quotas of every account and region, by instance type; 0 for a type that is in no mapping.

    The types `without` have no applied value for training; None is an `all_instances` without one.
    """

    training: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_TRAINING))
    spot: Mapping[str, float] = field(default_factory=_small)
    warm_pool: Mapping[str, float] = field(default_factory=_small)
    without: tuple[str, ...] = ("ml.r5.4xlarge", "ml.trn1.2xlarge")
    all_instances: float | None = 80.0

    def times(self, factor: float) -> Quotas:
        """Return quotas for a fleet that is larger by this factor."""

        def larger(values: Mapping[str, float]) -> Mapping[str, float]:
            return MappingProxyType({name: float(math.ceil(value * factor)) for name, value in values.items()})

        total = None if self.all_instances is None else float(math.ceil(self.all_instances * factor))
        return Quotas(larger(self.training), larger(self.spot), larger(self.warm_pool), self.without, total)

    def of(self, instance_type: str, usage: str = "training") -> float | None:
        """Return what a reader must find for a type and usage; None if it has no applied value."""
        values = {"spot_training": self.spot, "warm_pool": self.warm_pool}.get(usage, self.training)
        return None if instance_type in self.without else values.get(instance_type, 0.0)


def list_quotas(request: Wire, account: str, region: str, quotas: Quotas, expired: bool = False) -> Wire:
    """Answer a request with a page of the list. With `expired`, every token is refused. Raises ApiError."""
    if request.get("ServiceCode") != SERVICE:
        raise ApiError("NoSuchResourceException", f"The service {request.get('ServiceCode')} is not simulated.", 404)
    size = request.get("MaxResults", 100)
    if not isinstance(size, int) or not 1 <= size <= 100:
        raise ApiError("IllegalArgumentException", "MaxResults must be between 1 and 100.")
    items = [_item(name, value, account, region) for name, value in _values(quotas)]
    start = _start(request.get("NextToken"), len(items), expired)
    answer: Wire = {"Quotas": items[start : start + size]}
    return {**answer, "NextToken": _token(start + size)} if start + size < len(items) else answer


def _values(quotas: Quotas) -> Iterator[tuple[str, float]]:
    for number, instance_type in enumerate(TYPES):
        for usage, name in _NAMES.items():
            if (value := quotas.of(instance_type, usage)) is not None:
                yield name.format(instance_type), value
        for other in _OTHERS:
            yield other.format(instance_type), float(number % 5)
    yield from _FOR_THE_ACCOUNT
    if quotas.all_instances is not None:
        yield _ALL_INSTANCES, quotas.all_instances


def _item(name: str, value: float, account: str, region: str) -> Wire:
    code = _CODES.get(name) or f"L-{sha256(name.encode()).hexdigest()[:8].upper()}"
    return {
        "ServiceCode": SERVICE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:{SERVICE}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _token(start: int) -> str:
    return base64.b64encode(f"from {start}".encode()).decode()


def _start(token: object, length: int, expired: bool) -> int:
    if token is None:
        return 0
    try:
        number = base64.b64decode(str(token), validate=True).decode().removeprefix("from ")
    except (binascii.Error, ValueError):
        number = ""
    if expired or not number.isdecimal() or int(number) >= length:
        raise ApiError("InvalidPaginationTokenException", "The pagination token is invalid.")
    return int(number)
