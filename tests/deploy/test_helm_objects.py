"""What the chart renders: valid in old and new Kubernetes, restricted, fitting together and fitting the exporter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from exporter.app import spots
from exporter.config import Config, load
from exporter.webconfig import WebConfig
from tests.deploy import podsecurity
from tests.deploy.kubernetes import (
    CHART,
    VERSIONS,
    Object,
    container,
    of_kind,
    only,
    pod,
    problems,
    rendered,
    workload,
)
from tests.prometheus import ROOT

VALUES = {path.stem.removesuffix("-values"): path for path in [*CHART.glob("ci/*.yaml"), CHART / "values.yaml"]}
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


def values(name: str) -> tuple[Object, ...]:
    return rendered("--values", str(VALUES[name]))


def labels(thing: Object) -> set[tuple[str, str]]:
    return set(thing["metadata"]["labels"].items())


def selects(selector: dict[str, str], thing: Object) -> bool:
    return bool(selector) and set(selector.items()) <= labels(thing)


def config_of(found: tuple[Object, ...], folder: Path, pod_name: str = "rel-0") -> Config:
    """The exporter's own reading of the ConfigMap that its container mounts, the state in a folder that exists."""
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


@each_values
def test_the_exporter_takes_its_configuration(name: str, tmp_path: Path) -> None:
    config = config_of(values(name), tmp_path)
    assert Path(config.state.path).name == "state.sqlite"
    (state,) = (m for m in container(values(name))["volumeMounts"] if m["name"] == "state")
    assert state["mountPath"] == "/var/lib/sagemaker-exporter"
    assert "readOnly" not in state


@each_values
def test_the_ports_and_paths_are_the_exporters(name: str) -> None:
    spec = container(values(name))
    (port,) = spec["ports"]
    assert (port["name"], port["containerPort"]) == ("metrics", Config().web.listen_address.port)
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
    # A StatefulSet's pod has a hash of 11 characters besides in a label.
    assert len(longest) <= 63
    assert len(workload(found)["metadata"]["name"]) <= 52
    assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == len(found)


@each_values
def test_every_volume_that_is_mounted_is_there(name: str) -> None:
    found = values(name)
    claimed = [each["metadata"]["name"] for each in workload(found)["spec"].get("volumeClaimTemplates", ())]
    there = sorted([each["name"] for each in pod(found)["volumes"]] + claimed)
    assert sorted(each["name"] for each in container(found)["volumeMounts"]) == there


def test_the_state_lies_in_the_pod_on_a_volume_or_on_one_that_exists() -> None:
    def state(name: str) -> Object:
        (volume,) = (each for each in pod(values(name))["volumes"] if each["name"] == "state")
        spec: Object = volume
        return spec

    assert state("values")["emptyDir"] == {}
    assert state("tls")["persistentVolumeClaim"] == {"claimName": "totals"}
    assert of_kind("PersistentVolumeClaim", values("tls")) == []
    claim = only("PersistentVolumeClaim", values("secured"))["metadata"]
    assert state("secured")["persistentVolumeClaim"] == {"claimName": claim["name"]}
    assert claim["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_one_pod_alone_owns_the_state_file() -> None:
    spec = workload(values("values"))["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_shards_cover_every_target_once(tmp_path: Path) -> None:
    found = values("sharded")
    spec = workload(found)["spec"]
    named = workload(found)["metadata"]["name"]
    configs = [config_of(found, tmp_path, f"{named}-{number}") for number in range(spec["replicas"])]
    whole = configs[0].model_copy(update={"sharding": Config().sharding})
    shares = [spots(config) for config in configs]
    assert len(shares) == 2
    assert sorted(repr(spot) for share in shares for spot in share) == sorted(map(repr, spots(whole)))
    (environment,) = (each for each in container(found)["env"] if each["name"] == "POD_NAME")
    assert environment["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_a_shard_has_a_volume_and_a_name_of_its_own() -> None:
    stateful = only("StatefulSet", values("sharded"))["spec"]
    (template,) = stateful["volumeClaimTemplates"]
    assert template["metadata"]["name"] == "state"
    assert template["spec"]["storageClassName"] == "gp3"
    service = only("Service", values("sharded"))
    assert stateful["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    # Else an upgrade from one shard to more would change the address of a Service, which Kubernetes refuses.
    assert service["metadata"]["name"] != only("Service", values("values"))["metadata"]["name"]


def test_a_change_of_the_configuration_restarts_the_pods() -> None:
    def checksum(*arguments: str) -> str:
        said: str = workload(rendered(*arguments))["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return said

    assert checksum() == checksum("--set", "podLabels.a=b")
    assert checksum() != checksum("--set", "config.jobs.retention=2h")


def test_the_web_configuration_is_a_secret_that_the_exporter_takes() -> None:
    secret = only("Secret", values("secured"))
    (volume,) = (each for each in pod(values("secured"))["volumes"] if each["name"] == "web-config")
    assert volume["secret"]["secretName"] == secret["metadata"]["name"]
    web = WebConfig.model_validate(yaml.safe_load(secret["stringData"]["web.yaml"]), context={"directory": ""})
    assert set(web.basic_auth_users) == {"prometheus"}
    (volume,) = (each for each in pod(values("existing-secret"))["volumes"] if each["name"] == "web-config")
    assert volume["secret"]["secretName"] == "exporter-web"
    assert of_kind("Secret", values("existing-secret")) == []


@pytest.mark.parametrize(
    ("arguments", "scheme", "probe"),
    [
        ((), "http", "HTTP"),
        (("--values", str(VALUES["tls"])), "https", "HTTPS"),
        (("--values", str(VALUES["secured"])), "https", "tcp"),
        (("--values", str(VALUES["existing-secret"])), "http", "tcp"),
        (("--set", "webConfig.existingSecret=a"), "https", "tcp"),
        (("--set", "webConfig.existingSecret=a,webConfig.probes=http"), "https", "HTTPS"),
        (("--set", "webConfig.content.tls_server_config.client_auth_type=RequireAndVerifyClientCert"), "https", "tcp"),
    ],
)
def test_who_asks_speaks_what_is_served_and_knocks_where_it_may_not_enter(
    arguments: tuple[str, ...], scheme: str, probe: str
) -> None:
    found = rendered("--set", "monitor.kind=ServiceMonitor", *arguments, "--set", "monitor.kind=ServiceMonitor")
    (endpoint,) = only("ServiceMonitor", found)["spec"]["endpoints"]
    assert endpoint["scheme"] == scheme
    for each in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container(found)[each]
        assert asked.get("httpGet", {"scheme": "tcp"})["scheme"] == probe


def test_the_rules_are_the_projects_word_for_word() -> None:
    groups = only("PrometheusRule", values("sharded"))["spec"]["groups"]
    files = sorted(ROOT.glob("deploy/prometheus/*.rules.yml"))
    assert groups == [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    assert "{{ $labels." in json.dumps(groups)
    # The operator and kubectl both refuse what is longer.
    assert len(json.dumps(groups)) < 256 * 1024


def test_the_dashboards_are_the_projects_and_grafana_looks_for_them() -> None:
    maps = [each for each in of_kind("ConfigMap", values("sharded")) if "config.yaml" not in each["data"]]
    shown = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    assert shown == {path.name: json.loads(path.read_text()) for path in ROOT.glob("deploy/grafana/*.json")}
    assert shown
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in maps} == {"1"}
    assert {each["metadata"]["annotations"]["grafana_folder"] for each in maps} == {"SageMaker"}


def test_the_network_policy_lets_in_prometheus_and_out_to_aws() -> None:
    spec = only("NetworkPolicy", values("sharded"))["spec"]
    (ingress,) = spec["ingress"]
    assert ingress["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert ingress["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    ports = {(port["port"], port["protocol"]) for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {(53, "UDP"), (53, "TCP"), (443, "TCP"), (80, "TCP")}
    (credentials,) = (rule for rule in spec["egress"] if rule["ports"][0]["port"] == 80)
    assert all(peer["ipBlock"]["cidr"].startswith(("169.254.", "fd00:ec2::")) for peer in credentials["to"])
    assert only("NetworkPolicy", values("secured"))["spec"]["egress"][-1]["ports"] == [
        {"port": 3128, "protocol": "TCP"}
    ]


def test_what_a_pod_can_be_given_is_given() -> None:
    found = pod(values("secured"))
    spec = container(values("secured"))
    for key in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations", "affinity"):
        assert found[key], key
    assert spec["image"] == "registry.example.com/sagemaker-exporter@sha256:" + "0" * 64
    assert spec["args"][-1] == "--web.enable-lifecycle"
    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"} in spec["env"]
    assert spec["envFrom"] == [{"secretRef": {"name": "aws", "optional": True}}]
    assert labels(workload(values("secured"))) >= {("team", "platform")}
    template = workload(values("secured"))["spec"]["template"]["metadata"]
    assert template["labels"]["sidecar.istio.io/inject"] == "false"
    assert template["annotations"]["note"] == "monitored"
    account = only("ServiceAccount", values("sharded"))
    assert account["metadata"]["name"] == pod(values("sharded"))["serviceAccountName"]
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    assert pod(values("tls"))["serviceAccountName"] == "default"
