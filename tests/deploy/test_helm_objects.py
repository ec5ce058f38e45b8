"""Test the rendered objects: valid in old and new Kubernetes, restricted, consistent, and suitable for the exporter."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, load
from exporter.wiring.targets import target_specs
from tests.deploy import podsecurity
from tests.deploy.kubernetes import (
    VALUES,
    VERSIONS,
    Object,
    container,
    of_kind,
    only,
    pod,
    problems,
    rendered,
    values,
    workload,
)
from tests.prometheus import ROOT

EVERYTHING = {
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StatefulSet",
}
each_values = pytest.mark.parametrize("name", VALUES)


def labels(thing: Object) -> set[tuple[str, str]]:
    return set(thing["metadata"]["labels"].items())


def selects(selector: dict[str, str], thing: Object) -> bool:
    return bool(selector) and set(selector.items()) <= labels(thing)


def config_of(found: tuple[Object, ...], folder: Path, pod_name: str = "rel-0") -> Config:
    """Return the configuration loaded from the mounted ConfigMap, with the state in an existing folder."""
    (volume,) = (each for each in pod(found)["volumes"] if each["name"] == "config")
    (mounted,) = (m for m in of_kind("ConfigMap", found) if m["metadata"]["name"] == volume["configMap"]["name"])
    text = mounted["data"]["config.yaml"].replace("/var/lib/sagemaker-exporter", str(folder))
    (folder / "config.yaml").write_text(text)
    return load(str(folder / "config.yaml"), {"POD_NAME": pod_name})


@pytest.mark.parametrize("version", VERSIONS)
@each_values
def test_kubernetes_takes_every_object(name: str, version: str) -> None:
    assert [found for each in values(name) if (found := problems(each, version))] == []


def test_every_kind_of_object_is_among_them() -> None:
    assert {each["kind"] for name in VALUES for each in values(name)} == EVERYTHING


def test_a_mistake_would_have_been_found() -> None:
    for thing in (each for name in ("sharded", "secured") for each in values(name) if "spec" in each):
        spec = {**thing["spec"], "replicaz": 1}
        assert "replicaz" in problems({**thing, "spec": spec}, VERSIONS[-1]), thing["kind"]


@each_values
def test_the_pod_is_restricted_and_asks_nothing_of_kubernetes(name: str) -> None:
    assert podsecurity.violations(pod(values(name))) == []
    assert container(values(name))["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(values(name))["automountServiceAccountToken"] is False
    assert not {kind for each in values(name) if "Role" in (kind := each["kind"])}


@pytest.mark.parametrize(
    ("of_the_pod", "of_the_container", "violation"),
    [
        ({"hostNetwork": True}, {}, "hostNetwork"),
        ({"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}, {}, "volume root"),
        ({}, {"allowPrivilegeEscalation": True}, "exporter: privileges"),
        ({}, {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}, "exporter: capabilities"),
        ({}, {"runAsUser": 0}, "exporter: root"),
        ({}, {"seccompProfile": {"type": "Unconfined"}}, "exporter: seccomp"),
    ],
)
def test_what_is_not_restricted_would_have_been_found(
    of_the_pod: Object, of_the_container: Object, violation: str
) -> None:
    spec = container(values("values"))
    loose = {**spec, "securityContext": {**spec["securityContext"], **of_the_container}}
    assert podsecurity.violations({**pod(values("values")), **of_the_pod, "containers": [loose]}) == [violation]


def test_the_pod_runs_the_image_as_it_is_meant_to_be() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    whole = pod(values("values"))["securityContext"]
    assert f"USER {whole['runAsUser']}:{whole['runAsGroup']}\n" in dockerfile
    assert whole["fsGroup"] == whole["runAsGroup"], "or it could not write to a new volume"
    assert "command" not in container(values("values"))
    assert 'ENTRYPOINT ["sagemaker-exporter"]' in dockerfile


@each_values
def test_the_exporter_takes_its_configuration(name: str, tmp_path: Path) -> None:
    state = config_of(values(name), tmp_path).state
    if state.url:
        assert state.password_file == "/etc/sagemaker-exporter/database/password"
        return
    assert Path(state.path).name == "state.sqlite"
    (state,) = (m for m in container(values(name))["volumeMounts"] if m["name"] == "state")
    assert state["mountPath"] == "/var/lib/sagemaker-exporter"
    assert "readOnly" not in state


@each_values
def test_the_ports_and_paths_are_the_exporters(name: str) -> None:
    spec = container(values(name))
    (port,) = spec["ports"]
    assert (port["name"], port["containerPort"]) == ("metrics", Config().web.listen_addresses[0].port)
    (service,) = only("Service", values(name))["spec"]["ports"]
    assert service["targetPort"] == "metrics"
    asked = {key: spec[f"{key}Probe"] for key in ("startup", "liveness", "readiness")}
    http = {key: probe["httpGet"]["path"] for key, probe in asked.items() if "httpGet" in probe}
    assert http in ({}, {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"})
    for probe in asked.values():
        assert (probe.get("httpGet") or probe["tcpSocket"])["port"] == "metrics"
    for kind in ("ServiceMonitor", "PodMonitor"):
        for monitor in of_kind(kind, values(name)):
            (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
            assert (endpoint["port"], endpoint["path"]) == ("metrics", Config().web.telemetry_path)


@each_values
def test_whoever_selects_finds_this_pod_and_this_service(name: str) -> None:
    found = values(name)
    template = workload(found)["spec"]["template"]
    assert selects(workload(found)["spec"]["selector"]["matchLabels"], template)
    assert selects(only("Service", found)["spec"]["selector"], template)
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "PodMonitor"):
        for each in of_kind(kind, found):
            selector = each["spec"].get("podSelector") or each["spec"]["selector"]
            assert selects(selector["matchLabels"], template), kind
    for monitor in of_kind("ServiceMonitor", found):
        assert selects(monitor["spec"]["selector"]["matchLabels"], only("Service", found))
        assert monitor["spec"]["jobLabel"] in only("Service", found)["metadata"]["labels"]


@each_values
def test_no_name_is_too_long_with_the_longest_release(name: str) -> None:
    found = rendered("--values", str(VALUES[name]), release="r" * 53)
    longest = max((each["metadata"]["name"] for each in found), key=len)
    # A label of a StatefulSet's pod also contains a hash of 11 characters.
    assert len(longest) <= 63
    assert len(workload(found)["metadata"]["name"]) <= 52
    assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == len(found)


@each_values
def test_every_volume_that_is_mounted_is_there(name: str) -> None:
    found = values(name)
    claimed = [each["metadata"]["name"] for each in workload(found)["spec"].get("volumeClaimTemplates", ())]
    there = sorted([each["name"] for each in pod(found)["volumes"]] + claimed)
    assert sorted(each["name"] for each in container(found)["volumeMounts"]) == there


def test_the_shards_cover_every_target_once(tmp_path: Path) -> None:
    found = values("sharded")
    spec = workload(found)["spec"]
    named = workload(found)["metadata"]["name"]
    configs = [config_of(found, tmp_path, f"{named}-{number}") for number in range(spec["replicas"])]
    whole = configs[0].model_copy(update={"sharding": Config().sharding})
    shares = [target_specs(config) for config in configs]
    assert len(shares) == 2
    assert sorted(repr(spot) for share in shares for spot in share) == sorted(map(repr, target_specs(whole)))
    (environment,) = (each for each in container(found)["env"] if each["name"] == "POD_NAME")
    assert environment["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
