"""Test how many targets are examined at the same time."""

from __future__ import annotations

import asyncio

import pytest

from exporter.aws.regions import known_regions
from exporter.clock import SystemClock
from exporter.doctor.asking import Asking
from exporter.doctor.examination import examine
from tests.doctor.world import config


async def test_twenty_targets_have_a_turn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, peak, asked = 0, 0, 0

    async def identity(_: Asking) -> None:
        nonlocal now, peak, asked
        now, asked = now + 1, asked + 1
        peak = max(peak, now)
        for _turn in range(30):
            await asyncio.sleep(0)
        now -= 1

    async def everything(_: Asking, prices: bool) -> None:
        del prices

    monkeypatch.setattr(Asking, "identity", identity)
    monkeypatch.setattr(Asking, "everything", everything)
    regions = sorted(known_regions())[:30]
    findings = await examine(config(*regions), SystemClock())
    assert (asked, peak) == (30, 20)
    # The sections are in the order of the configuration, whoever is ready first.
    assert [section.title for section in findings.sections] == [
        f"target {number} ({region})" for number, region in enumerate(regions, 1)
    ]
