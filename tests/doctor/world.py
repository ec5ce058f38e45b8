"""Run `doctor` on a simulated AWS whose clock skips every sleep."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from exporter.clock import Clock
from exporter.config import Config
from exporter.doctor.examination import examine
from exporter.doctor.findings import Findings
from exporter.doctor.report import markdown
from exporter.simulator import Fault, Faults, Kind, ManualClock, Plan, Simulator
from tests.e2e.exposed import lead_to

ACCOUNT, OTHER = "123456789012", "210987654321"
REGIONS = ("us-east-1", "eu-west-1")
ROLE = f"arn:aws:iam::{OTHER}:role/sagemaker-exporter"
EVERYTHING: dict[str, Any] = {
    "polling": {"strategy": "search"},
    "jobs": {"tags": ["team"]},
    "cloudwatch": {"utilization": ["gpu"]},
}


class Leaping(ManualClock):
    """Skip every sleep: a sleep ends at once, for all tasks."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class Wrong:
    """Show the time of another clock, some seconds too early."""

    def __init__(self, right: Clock, seconds: float) -> None:
        self._right, self._seconds = right, seconds
        self.monotonic, self.sleep = right.monotonic, right.sleep

    def time(self) -> float:
        return self._right.time() - self._seconds


class Told(NamedTuple):
    """Hold what was found, and the report."""

    findings: Findings
    report: str

    def rows(self, target: int = 1) -> dict[str, list[str]]:
        """Return the cells of a target's table by operation."""
        section = self.report.split("\n## ")[target]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
        return {row[0]: row[1:] for row in rows[2:]}

    def results(self, target: int = 1) -> dict[str, str]:
        """Return the result of each operation of a target."""
        return {operation: cells[1] for operation, cells in self.rows(target).items()}

    def entries(self) -> list[str]:
        """Return the entries of lists: what is missing, and what differs from the model."""
        return re.findall(r"(?m)^- (.*)$", self.report)


@asynccontextmanager
async def simulated(
    monkeypatch: pytest.MonkeyPatch, jobs: int = 40, accounts: tuple[str, ...] = (ACCOUNT, OTHER)
) -> AsyncIterator[Simulator]:
    """Run a simulator with jobs in every region of these accounts."""
    plan = Plan(jobs=jobs, pace=0.2) if jobs else None
    async with Simulator(clock=Leaping(time.time()), plan=plan, accounts=accounts, regions=REGIONS) as simulator:
        lead_to(simulator, monkeypatch)
        yield simulator


def config(*regions: str, role: str = "", **sections: Any) -> Config:
    """Return a configuration with one target."""
    target = {"regions": list(regions or REGIONS[:1]), **({"role_arn": role} if role else {})}
    return Config.model_validate({"targets": [target], **sections})


async def told(simulator: Simulator, settings: Config) -> Told:
    """Examine the targets of a configuration."""
    findings = await examine(settings, simulator.clock)
    return Told(findings, markdown(findings, settings))


def denied(*operations: str, region: str | None = None) -> Faults:
    """Return faults that deny these operations."""
    return Faults(tuple(Fault(Kind.ACCESS_DENIED, operation=each, region=region) for each in operations))
