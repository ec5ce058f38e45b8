"""Test the benchmark of the dashboards with few jobs, and what docs/scaling.md says of it."""

from __future__ import annotations

import re

import pytest

from benchmarks import dashboards
from tests.deploy import boards
from tests.deploy.boards import BOARDS
from tests.deploy.ruleset import FILES, load
from tests.prometheus import ROOT

PAGE = (ROOT / "docs/scaling.md").read_text()
TITLES = {board["title"].partition(" / ")[2] for board in BOARDS.values()}
GROUPS = {group["name"] for file in FILES for group in load(file)["groups"]}


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| ([\w ,-]+?) \|", text, re.MULTILINE)) - {"dashboard", "group of rules"}


@pytest.mark.prometheus
@pytest.mark.long
async def test_every_panel_of_every_dashboard_is_timed() -> None:
    results = await dashboards.measure(jobs=20, minutes=0.5)
    for uid, panels in results["times"].items():
        assert [panel.name for panel in panels] == [panel["title"] for panel in boards.panels(BOARDS[uid])]
        assert all(0 <= panel.cpu < 30 and panel.waited > 0 for panel in panels)
        assert sum(panel.queries for panel in panels) == len([*boards.of_panels(uid)])
    assert results["jobs"] >= results["active"] > 0
    assert results["samples"] > 20 * results["active"]
    text = dashboards.section(results)
    assert first_cells(text) == TITLES | GROUPS
    assert dashboards.placed(f"before\n{dashboards.BEGIN}old\n{dashboards.END}after\n", text) == (
        f"before\n{dashboards.BEGIN}{text}{dashboards.END}after\n"
    )


def test_a_graph_asks_for_as_many_points_as_on_a_screen_and_a_panel_with_an_interval_for_fewer() -> None:
    shown = {
        panel["title"]: dashboards.points("sagemaker-fleet", panel)
        for panel in boards.panels(BOARDS["sagemaker-fleet"])
    }
    assert shown["Active jobs by phase"] == 6 * 3600 / 30
    assert shown["Ended jobs by outcome"] == 6 * 3600 / 120
    (per_day,) = [
        panel for panel in boards.panels(BOARDS["sagemaker-cost"]) if panel["title"] == "Spend per day, by team"
    ]
    assert dashboards.points("sagemaker-cost", per_day) == 30


def test_the_document_has_figures_of_every_dashboard_and_group_of_rules() -> None:
    text = PAGE.partition(dashboards.BEGIN)[2].partition(dashboards.END)[0]
    assert first_cells(text) == TITLES | GROUPS
    jobs = re.match(r"([\d,]+) jobs", text)
    assert jobs
    assert int(jobs[1].replace(",", "")) >= 10_000
