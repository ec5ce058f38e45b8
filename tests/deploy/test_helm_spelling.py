"""Test how the chart handles names, durations, numbers, and words that look like numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.deploy.given import accepted, merged, rendered
from tests.deploy.kubernetes import CHART, VALUES, Object, helm, objects, of_kind, only, pod, workload
from tests.deploy.strict import milliseconds, violations


@pytest.mark.parametrize(
    "release", ["1234", "1", "1e5", "a.b", "1.2.3", "007", "true", "null", "x" * 53, "a--b", f"{'a' * 39}.b"]
)
def test_any_release_of_helm_has_objects_with_valid_names(release: str, tmp_path: Path) -> None:
    for name in ("secured", "sharded"):
        values = {**yaml.safe_load(VALUES[name].read_text()), "fullnameOverride": ""}
        found = accepted(tmp_path, values, release=release)
        assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == len(found)
        instance = {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in found}
        assert instance == {release}


def test_a_release_keeps_the_name_it_had() -> None:
    """With another name the release would get a new volume, and the totals would start again from 0."""
    named = {release: chosen(release) for release in ("rel", "sagemaker-exporter", "my-sagemaker-exporter-2", "r" * 53)}
    assert named == {
        "rel": "rel-sagemaker-exporter",
        "sagemaker-exporter": "sagemaker-exporter",
        "my-sagemaker-exporter-2": "my-sagemaker-exporter-2",
        "r" * 53: "r" * 40,
    }
    assert chosen("1234") == "sagemaker-exporter-1234"
    assert chosen("a.b") == "a-b-sagemaker-exporter"


def chosen(release: str) -> str:
    found = objects(helm("template", release, CHART, "--namespace", "obs").stdout)
    name: str = workload(found)["metadata"]["name"]
    return name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, ("30s", "25s")),
        ({"interval": "15s"}, ("15s", "15s")),
        ({"interval": "1m30s"}, ("1m30s", "25s")),
        ({"interval": "24s500ms"}, ("24s500ms", "24s500ms")),
        ({"interval": "1d"}, ("1d", "25s")),
        ({"interval": "25s"}, ("25s", "25s")),
        ({"interval": "08s"}, ("08s", "08s")),
        ({"interval": "1m", "scrapeTimeout": "1m"}, ("1m", "1m")),
        ({"interval": "60s", "scrapeTimeout": "60000ms"}, ("60s", "60000ms")),
        ({"interval": "15s", "scrapeTimeout": None}, ("15s", "15s")),
        ({"interval": None}, ("30s", "25s")),
        ({"interval": ""}, (None, None)),
        ({"interval": "", "scrapeTimeout": "5s"}, (None, "5s")),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_a_scrape_takes_no_longer_than_its_interval(
    kind: str, given: Object, shown: tuple[str | None, str | None], tmp_path: Path
) -> None:
    monitor = only(kind, accepted(tmp_path, {"monitor": {"kind": kind, **given}}))
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint.get("interval"), endpoint.get("scrapeTimeout")) == shown


def test_a_storage_class_may_be_none_or_look_like_a_number(tmp_path: Path) -> None:
    for given, asked in (("-", ""), ("gp3", "gp3"), ("5", "5"), ("1e3", "1e3"), ("true", "true")):
        for name in ("secured", "sharded"):
            values = merged(yaml.safe_load(VALUES[name].read_text()), {"persistence": {"storageClass": given}})
            found = accepted(tmp_path, values)
            (claim,) = workload(found)["spec"].get("volumeClaimTemplates") or of_kind("PersistentVolumeClaim", found)
            assert claim["spec"]["storageClassName"] == asked
    (claim,) = of_kind("PersistentVolumeClaim", accepted(tmp_path, {"persistence": {"enabled": True}}))
    assert "storageClassName" not in claim["spec"]


def test_large_numbers_stay_whole_and_words_stay_words(tmp_path: Path) -> None:
    values = {
        "terminationGracePeriodSeconds": 1_000_000,
        "podSecurityContext": {"runAsUser": 1_000_650_000, "fsGroup": 1_000_650_000},
        "podAnnotations": {"a": "true", "b": "1e5", "c": "on", "d": ""},
        "extraEnv": [{"name": "A", "value": "true"}, {"name": "B", "value": "5"}, {"name": "C", "value": ""}],
        "image": {"repository": "12", "tag": "30"},
        "serviceAccount": {"name": "1"},
        "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"},
        "resources": {"limits": {"cpu": 1.5, "memory": 1_000_000_000}, "requests": {"cpu": "0"}},
    }
    found = accepted(tmp_path, values)
    spec, template = pod(found), workload(found)["spec"]["template"]["metadata"]
    assert spec["terminationGracePeriodSeconds"] == 1_000_000
    assert spec["securityContext"]["runAsUser"] == 1_000_650_000
    assert template["annotations"] == {"a": "true", "b": "1e5", "c": "on", "d": ""}
    assert spec["containers"][0]["image"] == "12:30"
    assert [each["value"] for each in spec["containers"][0]["env"][1:]] == ["true", "5", ""]


def test_what_the_command_line_makes_of_values_is_refused_or_taken(tmp_path: Path) -> None:
    assert "got boolean, want string" in str(rendered(tmp_path, {}, "--set", "podAnnotations.a=true"))
    assert "got number, want string" in str(rendered(tmp_path, {}, "--set", "extraEnv[0].name=A,extraEnv[0].value=5"))
    found = accepted(tmp_path, {}, "--set-string", "podAnnotations.a=true,extraEnv[0].name=A,extraEnv[0].value=5")
    assert pod(found)["containers"][0]["env"][-1] == {"name": "A", "value": "5"}
    accepted(tmp_path, {}, "--set", "service.port=80,config=null,persistence=null,probes.liveness=null")


def test_the_strict_check_finds_what_it_is_for() -> None:
    service = {"kind": "Service", "metadata": {"name": "1a", "namespace": "a", "labels": {"a": "b c", "x": 5}}}
    assert len(violations(service)) == 3
    env = [{"name": "A"}, {"name": "A"}]
    template = {"spec": {"containers": [{"env": env, "volumeMounts": []}], "volumes": [{"name": "a"}, {"name": "a"}]}}
    thing = {"kind": "Deployment", "metadata": {"name": "a", "namespace": "a"}, "spec": {"template": template}}
    assert len(violations(thing)) == 2
    endpoints = [{"interval": "15s", "scrapeTimeout": "25s"}]
    monitor = {"kind": "ServiceMonitor", "metadata": {"name": "a", "namespace": "a"}, "spec": {"endpoints": endpoints}}
    assert len(violations(monitor)) == 1
    assert milliseconds("1m30s500ms") == 90_500
