"""Test that docs/doctor.md shows what doctor writes, and names what it asks."""

from __future__ import annotations

import re

import pytest

from exporter.doctor.choosing import ENDED
from exporter.doctor.permissions import PERMISSIONS
from tests.doctor.world import REGIONS, config, denied, simulated, told
from tests.prometheus import ROOT

TEXT = (ROOT / "docs/doctor.md").read_text()


def _plain(text: str) -> set[str]:
    """Return the lines without numbers and without the width of columns."""
    return {re.sub(r"\d[\d.]*|-+", "#", re.sub(r" +", " ", line)) for line in text.splitlines()}


@pytest.mark.slow
async def test_the_example_is_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"(?s)```text\n(.*?)```", TEXT)
    async with simulated(monkeypatch) as simulator:
        simulator.faults = denied("ListServiceQuotas", region=REGIONS[1])
        found = await told(simulator, config(*REGIONS))
    assert _plain(example) - _plain(found.report) == set()


def test_every_operation_is_named_with_the_number_of_jobs() -> None:
    assert {operation for operation in PERMISSIONS if operation not in TEXT} == set()
    assert f"up to {['', 'one', 'two', 'three', 'four', 'five', 'six'][ENDED]} that ended" in TEXT
