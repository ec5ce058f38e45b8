"""Provide jobs of every kind, as AWS describes them at two times, with a realistic share of changes between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.children import ACCOUNT, REGION
from exporter.simulator.answers import describe
from exporter.simulator.generator import Fleet, Plan
from exporter.training.parsing import Allowlist

ALLOW = Allowlist(frozenset({"team", "project"}), frozenset({"epochs", "learning_rate"}), failure_reason_length=80)
# A usual scrape interval.
_WHILE = 30.0
_SEED = 1


def write(path: Path, jobs: int) -> None:
    """Write a line for each job, with its response at both times. About half of the jobs run, the others have ended."""
    at = time.time()
    lives = list(Fleet(Plan(jobs=max(10, jobs // 2)), _SEED, at, ACCOUNT, REGION).until(at))
    with path.open("wb") as file:
        for life in lives[-jobs:]:
            tags = {"Tags": [{"Key": key, "Value": value} for key, value in life.tags.items()]}
            pair = [describe(life, when) | tags for when in (at, at + _WHILE)]
            file.write(orjson.dumps(pair) + b"\n")


def now(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the responses one by one: all of them at once would count as memory."""
    return (pair[0] for pair in _pairs(path))


def changed(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the later responses that differ."""
    return (pair[1] for pair in _pairs(path) if pair[0] != pair[1])


def _pairs(path: Path) -> Iterator[list[dict[str, Any]]]:
    with path.open("rb") as file:
        yield from map(orjson.loads, file)
