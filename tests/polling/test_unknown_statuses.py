"""Test that an unknown status is counted and logged once for each job that has it, whichever response shows it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from exporter.polling.intake import Updates
from exporter.simulator import Life
from exporter.simulator.life import STOPPED, Ending, Group, Phase
from exporter.simulator.request import plain
from exporter.simulator.rng import seeded
from exporter.simulator.store import Consistency
from tests.logged import field, messages
from tests.polling.simulated import HOUR, START, Settings, exporter
from tests.sagemaker import TARGET, Region

BOTH = pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
ODD = Ending("Stopped", "MaxPatienceExceeded", "")


def job(name: str, *phases: Phase, ending: Ending = STOPPED, created: float = START + 60) -> Life:
    groups = (Group("ml.m5.large", 1),)
    return Life(name, created, phases, ending, groups=groups, spec=plain(seeded(0), *TARGET, groups))


@BOTH
async def test_a_status_that_the_list_showed_first_is_counted_once_for_each_job(
    search: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "exporter")
    # They have it before the exporter sees them, while it looks on, and as their last one.
    odd = Phase("Hibernating", 900, "", on_instances=True)
    before = job("before", Phase("Starting", 10), odd, created=START - 600)
    later = job("later", Phase("Starting", 120), odd)
    ended = job("ended", Phase("Starting", 60), ending=ODD, created=START - 30)
    suspended = job("suspended", replace(odd, status="Training", job_status="Suspended"), created=START - 60)
    async with exporter(Region(before, later, ended, suspended), settings=Settings(search=search)) as one:
        await one.live(300)
        assert one.health.snapshot(0).unknown == {"Hibernating": 2, "MaxPatienceExceeded": 1, "Suspended": 1}
        await one.live(2 * HOUR)
        assert one.health.snapshot(0).unknown == {"Hibernating": 2, "MaxPatienceExceeded": 1, "Suspended": 1}
    assert messages(caplog) == ["unknown status; exporting it as it is"] * 3
    assert sorted(map(str, field(caplog, "status"))) == ["Hibernating", "MaxPatienceExceeded", "Suspended"]


async def test_answers_that_go_back_in_time_count_nothing_twice() -> None:
    odd = job("odd", Phase("Starting", 10), Phase("Hibernating", 3600, "", on_instances=True), created=START - 600)
    async with exporter(Region(odd)) as one:
        await one.live(60)
        tracked = one.tracker.get("odd")
        assert tracked is not None
        now, intake, updates = tracked.job, one.poller._intake, Updates.none()
        stale = replace(now, secondary_status="Starting", transitions=now.transitions[:1])
        for answer in (stale, now, stale, now):
            intake.described(answer, START, 0.0, updates)
        assert one.health.snapshot(0).unknown == {"Hibernating": 1}


@BOTH
async def test_another_job_of_the_same_name_takes_it_on_anew(search: bool) -> None:
    odd = Phase("Hibernating", 300, "", on_instances=True)
    first = replace(job("same", odd, created=START - 60), deleted=START + 900)
    second = job("same", odd, created=START + 1200)
    region = Region(first, second, consistency=Consistency())
    async with exporter(region, settings=Settings(search=search)) as one:
        await one.live(HOUR)
        assert one.health.snapshot(0).unknown == {"Hibernating": 2}
