"""Entries of ListServiceQuotas."""

from __future__ import annotations

from typing import Any

ALL = "Number of instances across all training jobs"
OTHER = "ml.m5.large for training job usage"


def quota(name: str, value: object = 8.0, **more: object) -> dict[str, Any]:
    """An entry; a value that is None is left out."""
    entry: dict[str, Any] = {"ServiceCode": "sagemaker", "QuotaCode": "L-1234ABCD", "QuotaName": name, "Unit": "None"}
    entry |= {"Adjustable": True, "GlobalQuota": False, **more}
    return entry if value is None else {**entry, "Value": value}
