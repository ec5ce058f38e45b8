"""Test the committed dashboards: they equal what the code generates, are complete, and link to each other."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import write
from deploy.grafana.colors import FAILURE, PHASE, STATUS, WARM_POOL
from exporter.training.failures import FAILURE_CATEGORIES
from exporter.training.job import SECONDARY_STATUSES, STATUSES, WARM_POOL_STATUSES
from tests.deploy import boards
from tests.deploy.boards import BOARDS, FOLDER, panels, variables
from tests.deploy.rule_labels import labels_of
from tests.deploy.ruleset import selectors

UIDS = ["sagemaker-cost", "sagemaker-exporter", "sagemaker-fleet", "sagemaker-job", "sagemaker-utilization"]
COUNTS = {"stat", "timeseries", "bargauge"}
_GIVEN = re.compile(r"var-(\w+)=.*|\$\{(\w+):queryparam\}")
_MONEY = re.compile(r"sagemaker_(training_\w*cost|instance_price)")
_BY_CURRENCY = re.compile(r"by \([\w, ]*\bcurrency\)")
# The value of a regular expression in which the chosen instance types stand among others.
_AMONG_OTHERS = '"(.*,)?$instance_type(,.*)?"'
_LINK = re.compile(r"/d/([\w-]+)\?(.*)")


def texts(value: Any, key: str) -> list[str]:
    """Yield every text under this key, anywhere in the dashboard."""
    if isinstance(value, dict):
        own = [value[key]] if isinstance(value.get(key), str) else []
        return own + [text for inner in value.values() for text in texts(inner, key)]
    return [text for inner in value for text in texts(inner, key)] if isinstance(value, list) else []


def test_the_json_is_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert made.keys() == committed.keys()
    stale = [name for name, text in made.items() if text != committed[name]]
    assert stale == [], "make dashboards"


def test_there_are_five_with_names_that_stay() -> None:
    assert sorted(BOARDS) == UIDS
    assert all(board["tags"] == ["sagemaker-exporter"] for board in BOARDS.values())


@pytest.mark.parametrize("uid", UIDS)
def test_every_panel_says_what_it_shows_and_in_which_unit(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        assert "unit" in panel["fieldConfig"]["defaults"] or panel["type"] not in COUNTS, panel["title"]


@pytest.mark.parametrize("uid", UIDS)
def test_panels_are_few_and_do_not_overlap(uid: str) -> None:
    shown = list(panels(BOARDS[uid]))
    titles = [panel["title"] for panel in shown]
    assert len(set(titles)) == len(titles)
    assert len([panel for panel in BOARDS[uid]["panels"] if panel["type"] != "row"]) <= 15
    numbers = [panel["id"] for panel in [*shown, *(p for p in BOARDS[uid]["panels"] if p["type"] == "row")]]
    assert len(set(numbers)) == len(numbers)
    squares = {panel["title"]: _square(panel["gridPos"]) for panel in BOARDS[uid]["panels"]}
    assert [pair for pair in combinations(squares, 2) if squares[pair[0]] & squares[pair[1]]] == []
    assert all(x < 24 for square in squares.values() for x, _ in square)


def _square(place: dict[str, int]) -> set[tuple[int, int]]:
    return {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}


@pytest.mark.parametrize("uid", UIDS)
def test_every_dashboard_marks_restarts_reloads_and_outages(uid: str) -> None:
    marks = {mark["name"]: mark for mark in BOARDS[uid]["annotations"]["list"]}
    assert {name: mark["useValueForTime"] for name, mark in marks.items()} == {
        "Restart": True,
        "Reload": True,
        "Target down": False,
    }
    assert all(mark["enable"] and not mark["hide"] for mark in marks.values())


def test_hours_are_said_to_be_those_of_instances() -> None:
    units = {unit for board in BOARDS.values() for unit in texts(board, "unit")}
    hours = {str(pair["value"]) for board in BOARDS.values() for pair in _properties(board) if pair["id"] == "unit"}
    assert {unit for unit in units | hours if unit.startswith("suffix")} == {"suffix: instance-hours"}


def _properties(board: Any) -> list[dict[str, Any]]:
    overrides = [each for panel in panels(board) for each in panel["fieldConfig"]["overrides"]]
    return [pair for each in overrides for pair in each["properties"]]


@pytest.mark.parametrize("uid", UIDS)
def test_everything_asks_the_chosen_data_source(uid: str) -> None:
    asked = [each for panel in panels(BOARDS[uid]) for each in (panel, *panel["targets"])]
    asked += [each for each in variables(BOARDS[uid]).values() if each["type"] == "query"]
    asked += BOARDS[uid]["annotations"]["list"]
    assert {(each["datasource"]["type"], each["datasource"]["uid"]) for each in asked} == {
        ("prometheus", "${datasource}")
    }


@pytest.mark.parametrize("uid", UIDS)
def test_a_variable_of_many_values_stands_in_a_regular_expression_and_one_of_one_does_not(uid: str) -> None:
    """Grafana escapes the values of multi-value variables for regular expressions, and those of others for strings."""
    several = {name for name, each in variables(BOARDS[uid]).items() if each.get("multi")}
    for query in [*boards.of_panels(uid), *boards.of_variables(uid)]:
        for operator, name in re.findall(r'(=~?)"\$(\w+)"', query.expr):
            assert (operator == "=~") == (name in several), query
        whole = re.findall(r'"\$[a-z_]+"', query.expr)
        assert set(re.findall(r'"[^"]*\$[a-z]+[^"]*"', query.expr)) - {_AMONG_OTHERS} == set(whole)


def test_a_value_leads_to_a_dashboard_with_all_the_variables_that_it_has_and_the_time() -> None:
    links = [_LINK.fullmatch(url) for url in texts([*BOARDS.values()], "url") if url.startswith("/d/")]
    assert len(links) >= 4
    for found in links:
        assert found
        *given, time = found[2].split("&")
        assert time == "${__url_time_range}"
        assert {_GIVEN.sub(r"\1\2", each) for each in given} == set(variables(BOARDS[found[1]]))


def test_a_job_leads_to_its_page_and_its_logs_in_the_aws_console() -> None:
    urls = {url for url in texts([*BOARDS.values()], "url") if url.startswith("https://")}
    page = "https://{0}.console.aws.amazon.com/sagemaker/home?region={0}#/jobs/{1}"
    logs = (
        "https://{0}.console.aws.amazon.com/cloudwatch/home?region={0}#logsV2:log-groups/log-group/"
        "$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3D{1}$252F"
    )
    fields = ("${__data.fields.Region}", "${__data.fields.Job}")
    labels = ("${__field.labels.aws_region}", "${__field.labels.job_name}")
    assert urls == {shape.format(*names) for shape in (page, logs) for names in (fields, labels)}


def test_active_jobs_say_what_they_are() -> None:
    (table,) = [panel for panel in panels(BOARDS["sagemaker-fleet"]) if panel["title"] == "Active jobs"]
    assert {"instance_type", "spot", "owner", "reason"} <= boards.label_columns(table)
    assert len(texts(table["fieldConfig"], "url")) == 3


@pytest.mark.parametrize("uid", ["sagemaker-cost", "sagemaker-fleet", "sagemaker-utilization"])
def test_the_instance_type_filters_what_can_be_filtered(uid: str) -> None:
    """Totals of jobs by status and category, phases and interruptions are not told by type."""
    whole = [query for query in boards.of_panels(uid) if "$instance_type" not in query.expr]
    asked = [(query, each) for query in whole for each in selectors(boards.filled(query.expr, boards.ALL_PANELS))]
    assert [query for query, each in asked if {"instance_type", "job_name"} & labels_of(each.name or "")] == []


@pytest.mark.parametrize("uid", UIDS)
def test_no_query_is_too_long_to_be_read(uid: str) -> None:
    assert [query for query in boards.of_panels(uid) if len(query.expr) > 750] == []


@pytest.mark.parametrize("uid", UIDS)
def test_fields_that_a_link_uses_are_columns_of_its_table(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        used = {name for url in texts(panel, "url") for name in re.findall(r"__data\.fields\.(\w+)", url)}
        renamed = [t["options"]["renameByName"] for t in panel.get("transformations", ()) if t["id"] == "organize"]
        assert used <= {title for names in renamed for title in names.values()}, panel["title"]


@pytest.mark.parametrize("uid", UIDS)
def test_every_dashboard_links_to_the_others_and_keeps_variables_and_time(uid: str) -> None:
    (link,) = BOARDS[uid]["links"]
    assert (link["type"], link["tags"]) == ("dashboards", ["sagemaker-exporter"])
    assert link["includeVars"] is link["keepTime"] is True


@pytest.mark.parametrize("uid", UIDS)
def test_money_is_shown_in_the_currency_of_its_price_list_and_never_added_up_over_two(uid: str) -> None:
    for panel in panels(BOARDS[uid]):
        shown = [target for target in panel["targets"] if _MONEY.search(target["expr"])]
        units = texts(panel["fieldConfig"], "unit")
        if panel["type"] == "table":
            assert not shown or "currency" in boards.label_columns(panel), panel["title"]
            assert "currencyUSD" not in units, panel["title"]
        elif shown:
            assert all("{{currency}}" in target["legendFormat"] for target in shown), panel["title"]
            assert all(_BY_CURRENCY.search(target["expr"]) for target in shown), panel["title"]
            assert units == ["currencyUSD"], panel["title"]
            assert [(each["matcher"], each["properties"]) for each in panel["fieldConfig"]["overrides"]] == [
                ({"id": "byRegexp", "options": ".*CNY.*"}, [{"id": "unit", "value": "currencyCNY"}])
            ], panel["title"]


def test_months_are_those_of_the_bill() -> None:
    cost = BOARDS["sagemaker-cost"]
    assert (cost["timezone"], cost["time"]["from"]) == ("utc", "now/M")


def test_every_known_state_has_a_color() -> None:
    assert PHASE.keys() == set(SECONDARY_STATUSES)
    assert STATUS.keys() == set(STATUSES)
    assert WARM_POOL.keys() == set(WARM_POOL_STATUSES)
    assert FAILURE.keys() == set(FAILURE_CATEGORIES)


def test_the_demo_of_docker_compose_keeps_the_time_that_the_dashboards_count_from() -> None:
    """With a faster demo, job times would be ahead of Prometheus's time(), and ages and deadlines would be wrong."""
    services = yaml.safe_load((FOLDER.parent / "docker-compose.yml").read_text())["services"]
    assert [flag for flag in services["exporter"]["command"] if "speed" in flag] == []
