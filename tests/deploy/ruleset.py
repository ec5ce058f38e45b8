"""Read the rules of deploy/prometheus and their test cases."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.prometheus import ROOT

FOLDER = ROOT / "deploy/prometheus"
FILES = tuple(sorted(FOLDER.rglob("*.rules.yml")))
# Prometheus loads those of one profile, besides what every profile has.
PROFILES = ("jobs", "rates")
CASES = tuple(sorted((ROOT / "tests/deploy/rules").glob("*.test.yml")))
RUNBOOKS = ROOT / "docs/runbooks"
REPOSITORY: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]

_QUERY_IN_TEMPLATE = re.compile(r'printf "([^"]+)"[^}]*\| query')

Rule = dict[str, Any]


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.CSafeLoader)


RULES: tuple[Rule, ...] = tuple(rule for file in FILES for group in load(file)["groups"] for rule in group["rules"])
ALERTS: dict[str, Rule] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS: dict[str, Rule] = {rule["record"]: rule for rule in RULES if "record" in rule}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every query of the rules with the rule's name, including queries in annotations."""
    for rule in RULES:
        name = rule.get("alert") or rule["record"]
        yield name, rule["expr"]
        for text in rule.get("annotations", {}).values():
            for query in _QUERY_IN_TEMPLATE.findall(text):
                yield name, query.replace("%s", "x")


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Return the selectors of a query, at any depth."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found
