"""Test tag keys that become the same label, from the configuration to a scrape."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.simulator import ManualClock, Simulator, steady
from tests.e2e.exposed import lead_to
from tests.e2e.test_once import ACCOUNT, JOB, config, polled


@pytest.mark.parametrize("strategy", ["describe", "search"])
@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        (("Team", "team"), ("tag_team_conflict1", "tag_team_conflict2")),
        (("cost-center", "CostCenter"), ("tag_cost_center_conflict2", "tag_cost_center_conflict1")),
        (("部門", "日本"), ("tag____conflict2", "tag____conflict1")),
    ],
)
async def test_no_job_is_lost_and_the_labels_follow_from_the_configuration(
    keys: tuple[str, str], labels: tuple[str, str], strategy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, other = keys
    async with Simulator(clock=ManualClock(time.time()), regions=["us-east-1"]) as sim:
        lives = list(steady(6, sim.clock.time() - 600))
        tags = [*[{one: "a"}] * 3, *[{other: "a"}] * 2, {one: "a", other: "a"}]
        sim.store.add(ACCOUNT, "us-east-1", *(replace(life, tags=t) for life, t in zip(lives, tags, strict=True)))
        lead_to(sim, monkeypatch)
        # The same state file twice, with the keys in another order.
        for by_tags in (list(keys), [other, one]):
            sections = {
                "totals": {"by_tags": by_tags},
                "jobs": {"tags": by_tags},
                "state": {"path": str(tmp_path / "db")},
            }
            well, metrics = await polled(config("us-east-1", strategy=strategy, **sections))
            assert well
            created = {
                tuple(sorted(label for label in its if label.startswith("tag_"))): value
                for its, value in metrics.rows("sagemaker_training_jobs_created_total")
            }
            assert created == {(): 0, (labels[0],): 3, (labels[1],): 2, tuple(sorted(labels)): 1}
            shown = [{label for label in its if label.startswith("tag_")} for its, _ in metrics.rows(JOB + "tags")]
            assert sorted(map(sorted, shown)) == sorted([*[[labels[0]]] * 3, *[[labels[1]]] * 2, sorted(labels)])
