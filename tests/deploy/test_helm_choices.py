"""Test what each choice in the chart's values does: volumes, shards, TLS, rules, dashboards, network."""

from __future__ import annotations

import json

import pytest
import yaml

from exporter.web.config import WebConfig
from tests.deploy.kubernetes import VALUES, Object, container, of_kind, only, pod, rendered, values, workload
from tests.deploy.ruleset import FOLDER, PROFILES
from tests.prometheus import ROOT


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


def test_a_shard_has_a_volume_and_a_name_of_its_own() -> None:
    stateful = only("StatefulSet", values("sharded"))["spec"]
    (template,) = stateful["volumeClaimTemplates"]
    assert template["metadata"]["name"] == "state"
    assert template["spec"]["storageClassName"] == "gp3"
    service = only("Service", values("sharded"))
    assert stateful["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    # Otherwise scaling from one shard to several would change the address of a Service, which Kubernetes refuses.
    assert service["metadata"]["name"] != only("Service", values("values"))["metadata"]["name"]


def test_a_change_of_the_configuration_restarts_no_pod() -> None:
    """Kubernetes replaces the pods when their template changes; a changed ConfigMap is reloaded by the exporter."""
    changed = rendered("--set", "config.jobs.retention=2h")
    assert workload(rendered()) == workload(changed)
    assert only("ConfigMap", rendered()) != only("ConfigMap", changed)
    (volume,) = (each for each in pod(changed)["volumes"] if each["name"] == "config")
    assert volume["configMap"]["name"] == only("ConfigMap", changed)["metadata"]["name"]
    # A file that is mounted with subPath is never updated.
    (mount,) = (each for each in container(changed)["volumeMounts"] if each["name"] == "config")
    assert "subPath" not in mount
    assert "--config.auto-reload-interval=30s" in container(changed)["args"]


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


@pytest.mark.parametrize("profile", PROFILES)
def test_the_rules_are_the_projects_word_for_word(profile: str) -> None:
    found = rendered("--set", "prometheusRule.enabled=true", "--set", f"prometheusRule.profile={profile}")
    groups = only("PrometheusRule", found)["spec"]["groups"]
    files = [path for part in ("", profile) for path in sorted((FOLDER / part).glob("*.rules.yml"))]
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


def https(*arguments: str) -> Object:
    """Return the rule of the network policy by which the APIs of AWS are reached."""
    egress = only("NetworkPolicy", rendered("--set", "networkPolicy.enabled=true", *arguments))["spec"]["egress"]
    (rule,) = (each for each in egress if {"port": 443, "protocol": "TCP"} in each["ports"])
    return dict(rule)


def test_the_network_policy_can_be_limited_to_vpc_endpoints() -> None:
    assert "to" not in https()
    assert https("--set", "networkPolicy.awsCidrs={10.0.8.0/21,fd00::/64}")["to"] == [
        {"ipBlock": {"cidr": "10.0.8.0/21"}},
        {"ipBlock": {"cidr": "fd00::/64"}},
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
    assert workload(values("secured"))["metadata"]["labels"]["team"] == "platform"
    template = workload(values("secured"))["spec"]["template"]["metadata"]
    assert template["labels"]["sidecar.istio.io/inject"] == "false"
    assert template["annotations"]["note"] == "monitored"
    account = only("ServiceAccount", values("sharded"))
    assert account["metadata"]["name"] == pod(values("sharded"))["serviceAccountName"]
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]
    assert pod(values("tls"))["serviceAccountName"] == "default"
