"""Parses the applied quotas of SageMaker by their names: instances of a type by usage, and of all training jobs."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from exporter.polling.api import ApiError
from exporter.training.usage import SPOT_TRAINING, TRAINING, WARM_POOL

LIST_QUOTAS = "ListServiceQuotas"
SERVICE = "sagemaker"
# The code of a list that has no quota of training.
NO_QUOTAS = "NoQuotas"
_NO_QUOTAS = "the list of quotas has none for training; does something else answer at the endpoint?"
_USAGES = {"training job": TRAINING, "spot training job": SPOT_TRAINING, "training warm pool": WARM_POOL}
# The name of a quota is in no other field, and its code says nothing of type or usage.
_OF_TYPE = re.compile(rf"(ml\.[a-z0-9-]{{1,30}}\.[a-z0-9-]{{1,30}}) for ({'|'.join(_USAGES)}) usage")
_ALL_INSTANCES = "Number of instances across all training jobs"
# The code of a token that became invalid in the middle of the list.
_REJECTED = "InvalidPaginationToken"
_ATTEMPTS = 3

# Instance type and usage.
Key = tuple[str, str]
_ALL: Key = ("", "")


@dataclass(frozen=True, slots=True)
class Quotas:
    """The applied quotas of one account and region, by instance type and usage, and the one across all training jobs.
    An unknown quota is missing or None."""

    by_type: Mapping[Key, float]
    all_instances: float | None = None


class QuotaSource(Protocol):
    """Lists the quotas of one account."""

    def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        """Yield the applied quotas of SageMaker in a region, a page at a time. Raises ApiError."""
        ...


async def read_quotas(source: QuotaSource, region: str) -> Quotas:
    """Return the quotas of a region. If AWS rejects its own token, the list is read from the start, up to three times
    in total. Raises ApiError, also for a list without any quota of training."""
    for attempt in range(1, _ATTEMPTS + 1):
        collector = Collector()
        try:
            async with aclosing(source.items(region)) as items:
                async for page in items:
                    collector.take(page)
        except ApiError as error:
            if attempt == _ATTEMPTS or not error.code.startswith(_REJECTED):
                raise
        else:
            return collector.quotas()
    raise AssertionError


class Collector:
    """Collects the quotas of training, page by page. A quota that is listed with two different values is unknown."""

    def __init__(self) -> None:
        self._found: dict[Key, float] = {}
        self._contradicted: set[Key] = set()

    def take(self, items: Iterable[object]) -> None:
        """Take in a page. Entries of anything else than training are ignored."""
        for item in items:
            if not isinstance(item, dict):
                continue
            key, value = _key(item.get("QuotaName")), _value(item)
            if key is not None and value is not None and self._found.setdefault(key, value) != value:
                self._contradicted.add(key)

    def quotas(self) -> Quotas:
        """Return the quotas found. Raises ApiError if there are none."""
        known = {key: value for key, value in self._found.items() if key not in self._contradicted}
        if not known:
            raise ApiError(LIST_QUOTAS, NO_QUOTAS, _NO_QUOTAS)
        all_instances = known.pop(_ALL, None)
        return Quotas(known, all_instances)


def _key(name: object) -> Key | None:
    if not isinstance(name, str):
        return None
    match = _OF_TYPE.fullmatch(name)
    if match:
        return match[1], _USAGES[match[2]]
    return _ALL if name == _ALL_INSTANCES else None


def _value(item: Mapping[str, object]) -> float | None:
    """Return the applied value of an entry for the whole account; None if it has none."""
    value = item.get("Value")
    if "ErrorReason" in item or item.get("QuotaAppliedAtLevel", "ACCOUNT") == "RESOURCE":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)
