"""Test what is said of an AWS that is newer than this version, or other than assumed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.doctor import notes
from exporter.polling.health import KNOWN_STATUSES
from exporter.simulator import Simulator, steady
from exporter.simulator.life import Billing
from tests.doctor.world import ACCOUNT, REGIONS, config, simulated, told

pytestmark = pytest.mark.slow
DAY = 86400.0


def _ended(simulator: Simulator, *billing: Billing, status: str = "Training") -> None:
    """Add a job that ended three days ago, with this bill, after a phase with this status."""
    (life,) = steady(1, simulator.clock.time() - 3 * DAY, "ended", seconds=600)
    phases = tuple(replace(phase, status=status) if phase.status == "Training" else phase for phase in life.phases)
    simulator.store.add(ACCOUNT, REGIONS[0], replace(life, phases=phases, billing=billing))


async def test_a_status_that_nobody_knows_is_counted_and_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        _ended(simulator, Billing(), status="Meditating")
        found = await told(simulator, config())
    assert "Jobs with a status that this version does not know: 1." in found.report
    assert "`SecondaryStatusTransitions[].Status` has a value that the model lacks (in 1 of 1)" in found.report
    assert "Meditating" not in found.report
    # It is a difference, and nothing is missing.
    assert found.findings.complete


async def test_a_status_that_only_the_model_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "KNOWN_STATUSES", KNOWN_STATUSES - {"Pending"})
    async with simulated(monkeypatch, jobs=0) as simulator:
        _ended(simulator, Billing())
        found = await told(simulator, config())
    assert "Statuses in AWS's model that this version does not know: Pending." in found.report


async def test_a_bill_that_does_not_come_breaks_an_assumption(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        _ended(simulator)
        found = await told(simulator, config())
    (row,) = (line for line in found.report.splitlines() if "within 24 hours of its end" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == ["-", "1 Completed"]
    assert "Waiting for their bill: 1." in found.report
    assert found.findings.complete


async def test_a_partition_without_price_lists_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        found = await told(simulator, config("us-gov-west-1"))
    assert found.results()["GetProducts"].startswith("not tried: AWS has no price list for this partition")
    assert "GetProducts" not in {operation for _, _, operation in simulator.calls}


async def test_a_region_that_the_sdk_does_not_know_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        found = await told(simulator, config("us-secret-9"))
    assert "## target 1 (a region unknown to the SDK)" in found.report
    assert "us-secret-9" not in found.report
