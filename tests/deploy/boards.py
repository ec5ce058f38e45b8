"""Read the committed dashboards as Grafana does: their panels, queries and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.prometheus import ROOT

FOLDER = ROOT / "deploy/grafana"
BOARDS: dict[str, dict[str, Any]] = {
    board["uid"]: board for board in (json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json")))
}
# What Grafana inserts on dashboards that show everything.
ALL_PANELS = {
    "__range": "60s",
    "__range_s": "60",
    "__rate_interval": "10s",
    "account": "(123456789012|000000000000)",
    "region": "(us-east-1|eu-west-1)",
    "instance_type": ".*",
    "team": ".*",
}
# $1 in label_replace is not a variable, and Grafana leaves it unchanged.
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
LEGEND_LABEL = re.compile(r"\{\{(\w+)\}\}")
_LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")


class Asked(NamedTuple):
    """Hold a query and its place. `label` is the label whose values the query of a variable lists."""

    where: str
    expr: str
    instant: bool
    label: str = ""


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return all panels, including those of collapsed rows, but not the titles of rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def variables(board: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables by name."""
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def of_panels(uid: str) -> Iterator[Asked]:
    """Return the queries of a dashboard's panels."""
    for panel in panels(BOARDS[uid]):
        yield from asked_by(uid, panel)


def asked_by(uid: str, panel: Mapping[str, Any]) -> Iterator[Asked]:
    """Return the queries of one panel."""
    for target in panel["targets"]:
        where = f"{uid}: {panel['title']} {target['refId']}"
        yield Asked(where, target["expr"], target.get("instant", False))


def label_columns(panel: Mapping[str, Any]) -> set[str]:
    """Return the labels that a table or timeline shows from the results of its queries."""
    kept = [each["options"] for each in panel["transformations"] if each["id"] == "filterFieldsByName"]
    names = {name for options in kept for name in options["include"]["names"]}
    return {name for name in names if name != "Time" and not name.startswith("Value")}


def of_variables(uid: str) -> Iterator[Asked]:
    """Return the queries of a dashboard's variables."""
    for name, variable in variables(BOARDS[uid]).items():
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"])
            assert found, variable["query"]
            yield Asked(f"{uid}: variable {name}", found[1], True, found[2])


def of_annotations(uid: str) -> Iterator[Asked]:
    """Return the queries of what a dashboard marks on its graphs."""
    for mark in BOARDS[uid]["annotations"]["list"]:
        yield Asked(f"{uid}: mark {mark['name']}", mark["expr"], False)


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Return the query with Grafana's variables replaced. Raises an error if a variable has no value."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], expr)


def is_all(board: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that Grafana inserts for variables set to "All"."""
    return {name: each["allValue"] for name, each in variables(board).items() if each.get("includeAll")}
