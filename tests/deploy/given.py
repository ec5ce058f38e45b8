"""Render and check the chart with given values, and change values in one or in many places."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.kubernetes import CHART, VALUES, VERSIONS, Object, helm, objects, problems
from tests.deploy.strict import violations

DEFAULTS: Object = yaml.safe_load(VALUES["values"].read_text())

Place = tuple[str | int, ...]


def rendered(folder: Path, values: Object, *flags: str, release: str = "rel") -> tuple[Object, ...] | str:
    """Return the objects, or the error with which the chart refuses the values; anything else fails."""
    (folder / "given.yaml").write_text(json.dumps(values))
    outcome = helm("template", release, CHART, "--namespace", "1", "--values", folder / "given.yaml", *flags)
    if outcome.returncode == 0:
        return objects(outcome.stdout)
    refusals = ("values don't meet the specifications of the schema", "execution error at (sagemaker-exporter/")
    assert any(words in outcome.stderr for words in refusals), f"{values}: {outcome.stderr}"
    return outcome.stderr


def accepted(folder: Path, values: Object, *flags: str, release: str = "rel") -> tuple[Object, ...]:
    found = rendered(folder, values, *flags, release=release)
    assert not isinstance(found, str), found
    assert_valid(found)
    return found


def assert_valid(found: tuple[Object, ...]) -> None:
    assert [words for each in found for words in violations(each)] == []
    assert [words for each in found if (words := problems(each, VERSIONS[-1]))] == []


def merged(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
    return above


def nodes(values: Any, path: Place = ()) -> Iterator[Place]:
    """Return the paths of all nodes, parents before their children."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from nodes(value, (*path, key))


def leaves(values: Any) -> Iterator[Place]:
    """Return the paths of all nodes without children."""
    every = list(nodes(values))
    longer = {path[:-1] for path in every}
    yield from (path for path in every if path not in longer)


def changed(values: Object, path: Place, value: object) -> Object:
    result = copy.deepcopy(values)
    inner: Any = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def nested(path: Place, value: object) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value
