"""Run Helm and kubectl without a cluster, and validate the rendered objects as an API server would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from hack.programs import program
from tests.prometheus import ROOT

CHART = ROOT / "deploy/helm/sagemaker-exporter"
# Values files: the chart's own, and those that tests render it with.
VALUES = {path.stem.removesuffix("-values"): path for path in [CHART / "values.yaml", *sorted(CHART.glob("ci/*.yaml"))]}
KUSTOMIZE = ROOT / "deploy/kustomize"
# The oldest version with sidecars enabled by default, and the newest version whose schemas are available.
VERSIONS = ("1.29", "1.37")

Object = dict[str, Any]
Outcome = subprocess.CompletedProcess[str]

_OPERATOR = ("ServiceMonitor", "PodMonitor", "PrometheusRule")


def _run(name: str, *arguments: str | Path) -> Outcome:
    found = program(name)
    if found is None:
        pytest.skip(f"{name} is not on the PATH")
    # The settings, plugins and clusters of the person who runs the tests must have no effect.
    environment = {"HOME": "/nonexistent", "KUBECONFIG": "/dev/null", "PATH": os.environ["PATH"]}
    command = [found, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


def helm(*arguments: str | Path) -> Outcome:
    """Run helm. Its note about symbolic links in the chart is removed from stderr."""
    outcome = _run("helm", *arguments)
    outcome.stderr = "".join(line for line in outcome.stderr.splitlines(True) if "found symbolic link" not in line)
    return outcome


@cache
def rendered(*arguments: str, chart: Path = CHART, release: str = "rel") -> tuple[Object, ...]:
    """Return the objects that `helm install RELEASE` would create in the namespace "obs"."""
    outcome = helm("template", release, chart, "--namespace", "obs", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    return objects(outcome.stdout)


def values(name: str) -> tuple[Object, ...]:
    """Return the objects rendered with one of the values files; "values" are the defaults."""
    return rendered("--values", str(VALUES[name]))


@cache
def built(folder: Path) -> tuple[Object, ...]:
    """Return the objects that `kubectl apply -k` would create."""
    outcome = _run("kubectl", "kustomize", folder)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return objects(outcome.stdout)


def objects(text: str) -> tuple[Object, ...]:
    # libyaml's loader is ten times as fast, and the chart is rendered some hundred times.
    return tuple(found for found in yaml.load_all(text, yaml.CSafeLoader) if found)


def of_kind(kind: str, found: Iterable[Object]) -> list[Object]:
    return [each for each in found if each["kind"] == kind]


def only(kind: str, found: Iterable[Object]) -> Object:
    """Return the one object of that kind. Fails if there are more or none."""
    (one,) = of_kind(kind, found)
    return one


def workload(found: Iterable[Object]) -> Object:
    """Return the only Deployment or StatefulSet."""
    (one,) = (each for each in found if each["kind"] in {"Deployment", "StatefulSet"})
    return one


def pod(found: Iterable[Object]) -> Object:
    """Return the pod's specification."""
    spec: Object = workload(found)["spec"]["template"]["spec"]
    return spec


def container(found: Iterable[Object]) -> Object:
    """Return the exporter's container."""
    (one,) = pod(found)["containers"]
    spec: Object = one
    return spec


def problems(thing: Object, version: str) -> str:
    """Return the errors of a Kubernetes API server of that version, with strict validation, for an object."""
    return _problems(json.dumps(thing), version)


# Most objects are the same whatever values the chart is rendered with.
@cache
def _problems(text: str, version: str) -> str:
    thing: Object = json.loads(text)
    try:
        if thing["kind"] in _OPERATOR:
            _operators(thing["kind"]).validate(thing)
        else:
            kubernetes_validate.validate(thing, version, strict=True)
    except ValidationError as error:
        return f"{thing['kind']}: {error.json_path}: {error.message}"
    return ""


@cache
def _operators(kind: str) -> Draft202012Validator:
    """Return the schema of a kind of the Prometheus operator, because kubernetes-validate knows only built-in kinds."""
    return Draft202012Validator(json.loads((Path(__file__).parent / "schemas" / f"{kind.lower()}.json").read_text()))
