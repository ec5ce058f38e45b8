"""Test totals by cost tags from outside: which jobs they count, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.polling.api import TAGS
from exporter.simulator import Life
from exporter.simulator.life import Group, Phase
from exporter.simulator.request import plain
from exporter.simulator.rng import seeded
from tests.displays import Showing
from tests.e2e.exposed import Exposed
from tests.polling.simulated import HOUR, START, Settings, exporter
from tests.sagemaker import TARGET, Region, error

BY_TEAM = Settings(cost_tags=("team",))


def job(name: str, **tags: str) -> Life:
    groups = (Group("ml.m5.large", 1),)
    phases = (Phase("Starting", 60), Phase("Training", 600, "", on_instances=True))
    return Life(name, START + 60, phases, groups=groups, spec=plain(seeded(0), *TARGET, groups), tags=tags)


def refusing(*codes: str) -> Callable[[str, str], None]:
    """Fail the first calls of ListTags with these codes."""
    left = list(codes)

    def strike(operation: str, name: str) -> None:
        if operation == TAGS and left:
            raise error(TAGS, left.pop(0))

    return strike


async def test_a_job_without_the_tag_counts_in_the_series_that_has_no_such_label() -> None:
    region = Region(job("ours", team="vision"), job("nobodys"), job("empty", team=""))
    async with exporter(region, settings=BY_TEAM) as one:
        await one.live(HOUR)
        assert one.counted("jobs_created") == {(): 2, ("vision",): 1}
        board = Showing(one.ledger, started=START)
        board.target(TARGET, one.tracker.counts(), one.health, 0)
        text = b"".join([piece async for piece in board.metrics(openmetrics=False, gzip=False)]).decode()
    # To Prometheus a label that is empty is one that is not there.
    rows = [(name, {k: v for k, v in labels.items() if v}) for name, labels in labelled(Exposed(text))]
    assert [row for row in rows if rows.count(row) > 1] == []


def labelled(metrics: Exposed) -> list[tuple[str, dict[str, str]]]:
    return [
        (sample.name, sample.labels)
        for family in metrics.families
        if family.name in ("sagemaker_training_jobs_created", "sagemaker_training_seconds")
        for sample in family.samples
    ]


async def test_a_job_whose_tags_cannot_be_read_counts_in_full_once_they_can() -> None:
    region = Region(job("ours", team="vision"))
    region.strike = refusing(*["ThrottlingException"] * 60)
    async with exporter(region, settings=BY_TEAM) as one:
        await one.live(900)
        assert one.counted("jobs_created") == {}
        await one.live(HOUR)
        assert one.counted("jobs_created") == {("vision",): 1}
        assert one.counted("jobs_finished") == {("Completed", "vision"): 1}
        assert one.counted("seconds") == {("false", "vision"): 600}


async def test_denied_tags_are_asked_for_again_with_each_full_resync_and_the_job_counts_then() -> None:
    region = Region(job("ours", team="vision"))
    region.strike = refusing("AccessDeniedException")
    async with exporter(region, settings=BY_TEAM) as one:
        await one.live(1800)
        assert (len(region.times(TAGS)), one.counted("jobs_created")) == (1, {})
        await one.live(2 * HOUR)
        assert (len(region.times(TAGS)), one.counted("jobs_finished")) == (2, {("Completed", "vision"): 1})


async def test_a_job_that_is_deleted_before_its_tags_could_be_read_counts_for_nobody() -> None:
    region = Region(replace(job("ours", team="vision"), deleted=START + 1800))
    region.strike = refusing(*["ThrottlingException"] * 10_000)
    async with exporter(region, settings=BY_TEAM) as one:
        await one.live(HOUR)
        assert one.counted("jobs_finished") == {("Completed",): 1}
        assert one.counted("seconds") == {("false",): 600}


@pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
async def test_tags_are_read_once_for_each_job(search: bool) -> None:
    region = Region(*(job(f"job-{number}", team="vision") for number in range(5)))
    async with exporter(region, settings=replace(BY_TEAM, search=search)) as one:
        await one.live(HOUR)
        assert one.counted("jobs_finished") == {("Completed", "vision"): 5}
    assert len(region.times(TAGS)) <= 5
