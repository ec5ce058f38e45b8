"""Test the Helm chart as a package: lint, the schema of its values, and its copies of rules and dashboards."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.catalogue import CATALOGUE
from exporter.config import Config
from exporter.process.logs import FORMATS, LEVELS
from exporter.web.config import WebConfig
from tests.deploy.kubernetes import CHART, helm, rendered
from tests.deploy.ruleset import FILES, FOLDER
from tests.prometheus import ROOT

VALUES = (CHART / "values.yaml", *sorted(CHART.glob("ci/*-values.yaml")))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())

# Set by the chart itself, because mounts, probes and the number of pods depend on it.
DECIDED = {"web", "state", "sharding"}

REFUSED = {
    "a section in the wrong place": ("polling: {active_interval: 1m}", "additional properties 'polling' not allowed"),
    "a misspelt key": (
        "config: {polling: {activ_interval: 1m}}",
        "at '/config/polling': additional properties 'activ_interval' not allowed",
    ),
    "a section that the chart writes": (
        "config: {state: {path: /tmp/x}}",
        "at '/config': additional properties 'state' not allowed",
    ),
    "no duration": ("config: {jobs: {retention: 1 hour}}", "at '/config/jobs/retention'"),
    "no region": ("config: {targets: [{regions: [Ohio]}]}", "at '/config/targets/0/regions/0'"),
    "no role": ("config: {targets: [{regions: [eu-west-1], role_arn: admin}]}", "at '/config/targets/0/role_arn'"),
    "no shard": ("shards: 0", "at '/shards': minimum: got 0, want 1"),
    "a shared file system": ("persistence: {accessModes: [ReadWriteMany]}", "at '/persistence/accessModes/0'"),
    "both monitors": ("monitor: {kind: [ServiceMonitor, PodMonitor]}", "at '/monitor/kind'"),
    "a number for a switch": ("dashboards: {enabled: 1}", "at '/dashboards/enabled': got number, want boolean"),
    "no flag": ("extraArgs: [demo]", "at '/extraArgs/0'"),
    "shards of one target": ("shards: 2", "shards is 2, but config.targets is empty"),
    "shards on one volume": (
        "{shards: 2, config: {targets: [{regions: [eu-west-1]}]}, persistence: {enabled: true, existingClaim: a}}",
        "each shard needs its own",
    ),
    "a claim that is not used": ("persistence: {existingClaim: a}", "persistence.enabled is false: set it to true"),
    "two web configurations": (
        "webConfig: {existingSecret: a, content: {basic_auth_users: {a: b}}}",
        "comes from one of them",
    ),
}


@pytest.mark.parametrize("values", VALUES, ids=lambda each: each.stem)
def test_helm_lints_it(values: Path) -> None:
    outcome = helm("lint", "--strict", CHART, "--values", values)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "[WARNING]" not in outcome.stdout


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_value_is_refused_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(text)
    outcome = helm("template", "rel", CHART, "--values", tmp_path / "values.yaml")
    assert outcome.returncode != 0
    assert words in outcome.stderr


def test_the_schema_names_every_value_and_no_other() -> None:
    named = {path for path in keys(SCHEMA) if not path.startswith(("config.", "probes.", "global"))}
    written = set(written_keys(DEFAULTS, SCHEMA))
    assert {path for path in written if not path.startswith("probes.")} == named
    assert set(DEFAULTS["probes"]) == set(SCHEMA["properties"]["probes"]["properties"])


def test_the_schema_knows_the_exporters_configuration() -> None:
    config = SCHEMA["properties"]["config"]["properties"]
    assert set(config) == set(Config.model_fields) - DECIDED
    for name, section in config.items():
        annotation = Config.model_fields[name].annotation
        model = annotation if name != "targets" else type(Config().targets[0])
        closed = section.get("items", section)
        assert closed["additionalProperties"] is False
        assert set(closed["properties"]) == set(getattr(model, "model_fields", ())), name


def test_the_schema_knows_the_web_configuration() -> None:
    section = SCHEMA["definitions"]["webConfig"]["properties"]
    assert set(section) == set(WebConfig.model_fields)
    assert set(section["tls_server_config"]["properties"]) == set(WebConfig().tls_server_config.__class__.model_fields)


def test_the_schema_knows_the_flags_of_the_log() -> None:
    log = SCHEMA["properties"]["log"]["properties"]
    assert tuple(log["level"]["enum"]) == LEVELS
    assert tuple(log["format"]["enum"]) == FORMATS


def test_every_key_of_the_example_with_its_default_is_a_value(tmp_path: Path) -> None:
    example = yaml.safe_load((ROOT / "config.example.yaml").read_text())
    config = {name: section for name, section in example.items() if name not in DECIDED}
    (tmp_path / "values.yaml").write_text(json.dumps({"config": config}))
    (found,) = (each for each in rendered("--values", str(tmp_path / "values.yaml")) if each["kind"] == "ConfigMap")
    assert {name: yaml.safe_load(found["data"]["config.yaml"])[name] for name in config} == config


def test_what_is_packed_renders_as_the_folder_does(tmp_path: Path) -> None:
    outcome = helm("package", CHART, "--destination", tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    (package,) = tmp_path.glob("*.tgz")
    sharded = ("--values", str(CHART / "ci/sharded-values.yaml"))
    assert rendered(*sharded, chart=package) == rendered(*sharded)


def test_what_is_packed_is_the_chart_the_rules_and_the_dashboards(tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as tar:
        names = {name.removeprefix("sagemaker-exporter/") for name in tar.getnames()}
    rules = {f"files/rules/{path.relative_to(FOLDER)}" for path in FILES}
    dashboards = {f"files/dashboards/{path.name}" for path in ROOT.glob("deploy/grafana/*.json")}
    assert len(rules) >= 1
    assert len(dashboards) == 5
    assert {name for name in names if name.startswith("files/")} == rules | dashboards
    chart = {name for name in names if not name.startswith("files/")}
    assert chart >= {"Chart.yaml", "README.md", "values.yaml", "values.schema.json", "templates/deployment.yaml"}
    assert {name.split("/")[0] for name in chart if "/" in name} == {"templates"}


def test_the_notes_say_what_to_do_next_and_what_is_missing() -> None:
    bare = notes()
    assert "rollout status deployment/rel-sagemaker-exporter" in bare
    assert "http://localhost:9841/" in bare
    assert bare.count("NOTE:") == 4
    sharded = notes("--values", str(CHART / "ci/sharded-values.yaml"))
    assert "rollout status statefulset/rel-sagemaker-exporter" in sharded
    assert "NOTE:" not in sharded
    replicas = notes("--values", str(CHART / "ci/replicas-values.yaml"))
    assert "3 replica(s)" in replicas
    assert "rollout status deployment/rel-sagemaker-exporter" in replicas
    assert "NOTE:" not in replicas
    assert "https://localhost:9841/" in notes("--values", str(CHART / "ci/tls-values.yaml"))


def test_the_notes_say_that_the_image_must_be_built() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert f"docker build --build-arg VERSION={version} -t sagemaker-exporter:{version} ." in notes()
    assert "docker build" not in notes("--set", "image.repository=registry.example.com/sagemaker-exporter")


def test_the_example_of_a_dropped_metric_is_one() -> None:
    values = yaml.safe_load((CHART / "ci/sharded-values.yaml").read_text())
    assert values["monitor"]["metricRelabelings"][0]["regex"] in {family.name for family in CATALOGUE}


def notes(*arguments: str) -> str:
    outcome = helm("install", "rel", CHART, "--namespace", "obs", "--dry-run=client", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.split("NOTES:")[1]


def keys(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Return the paths of all keys in a schema."""
    for name, each in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from keys(each, f"{path}{name}.")


def written_keys(values: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Return the paths of all keys in the values, down to those whose schema is Kubernetes's."""
    for name, value in values.items():
        yield f"{path}{name}"
        inner = schema["properties"].get(name, {})
        if isinstance(value, Mapping) and "properties" in inner:
            yield from written_keys(value, inner, f"{path}{name}.")
