"""Test the plain manifests: they build offline, are valid in Kubernetes, and equal what the Helm chart renders."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.config import Config, load
from exporter.wiring.targets import target_specs
from tests.deploy import podsecurity, scraped
from tests.deploy.kubernetes import (
    KUSTOMIZE,
    VERSIONS,
    Object,
    built,
    container,
    of_kind,
    only,
    pod,
    problems,
    rendered,
    workload,
)
from tests.prometheus import ROOT

BASE = KUSTOMIZE / "base"
MONITORING, REPLICAS, SHARDED, SIDECAR = (
    KUSTOMIZE / "overlays" / name for name in ("monitoring", "replicas", "sharded", "sidecar")
)
FOLDERS = [BASE, MONITORING, REPLICAS, SHARDED]
EACH = pytest.mark.parametrize("folder", FOLDERS, ids=lambda each: each.name)
PODS = ("sagemaker-exporter-7d9f-abcde", "sagemaker-exporter-58c4-fghij")
SHARDS = ("sagemaker-exporter-0", "sagemaker-exporter-1")
# The fields of a pod that matter for the exporter; the chart's defaults are the same.
LIKE_THE_CHART = (
    "securityContext",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "terminationGracePeriodSeconds",
)


def config_of(folder: Path, tmp_path: Path, pod_name: str = "sagemaker-exporter-0") -> Config:
    """Return the configuration that the exporter reads."""
    (mounted,) = (each["configMap"]["name"] for each in pod(built(folder))["volumes"] if "configMap" in each)
    (found,) = (each for each in of_kind("ConfigMap", built(folder)) if each["metadata"]["name"] == mounted)
    text: str = found["data"]["config.yaml"]
    (tmp_path / "config.yaml").write_text(text.replace("/var/lib/sagemaker-exporter", str(tmp_path)))
    return load(str(tmp_path / "config.yaml"), {"POD_NAME": pod_name})


@pytest.mark.parametrize("version", VERSIONS)
@EACH
def test_kubernetes_takes_every_object(folder: Path, version: str) -> None:
    assert [found for each in built(folder) if (found := problems(each, version))] == []


@EACH
def test_everything_lies_in_one_restricted_namespace(folder: Path) -> None:
    namespace = only("Namespace", built(folder))["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each["metadata"]["namespace"] for each in built(folder) if each["kind"] != "Namespace"]
    assert set(others) == {namespace["name"]}
    assert podsecurity.violations(pod(built(folder))) == []


@EACH
def test_the_pod_is_that_of_the_chart(folder: Path) -> None:
    chart = rendered()
    if folder == REPLICAS:
        chart = rendered("--set", "replicas=2,state.url=postgresql://db/totals,state.passwordSecret.name=a")
        assert workload(built(folder))["spec"]["strategy"] == workload(chart)["spec"]["strategy"]
    for key in LIKE_THE_CHART:
        assert pod(built(folder))[key] == pod(chart)[key], key
    ours, theirs = container(built(folder)), container(chart)
    for key in ("resources", "securityContext"):
        assert ours[key] == theirs[key], key
    mounted = [sorted(each["volumeMounts"], key=lambda mount: mount["mountPath"]) for each in (ours, theirs)]
    assert mounted[0] == mounted[1]
    assert ours["args"] == theirs["args"][:2]
    assert ours["ports"] == [{"name": "metrics", "containerPort": Config().web.listen_addresses[0].port}]
    for key in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ours[key]["httpGet"]["path"] == theirs[key]["httpGet"]["path"]
    assert ours["image"] == theirs["image"]


@EACH
def test_whoever_selects_finds_this_pod_and_this_service(folder: Path) -> None:
    template = workload(built(folder))["spec"]["template"]["metadata"]["labels"].items()
    service = only("Service", built(folder))
    assert service["spec"]["selector"].items() <= template
    assert only("NetworkPolicy", built(folder))["spec"]["podSelector"]["matchLabels"].items() <= template
    assert workload(built(folder))["spec"]["selector"]["matchLabels"].items() <= template
    for monitor in of_kind("ServiceMonitor", built(folder)):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["jobLabel"] in service["metadata"]["labels"]
        assert [each["port"] for each in monitor["spec"]["endpoints"]] == [service["spec"]["ports"][0]["name"]]


@EACH
def test_the_exporter_takes_its_configuration(folder: Path, tmp_path: Path) -> None:
    state = config_of(folder, tmp_path).state
    assert bool(state.url) == (folder == REPLICAS)
    assert state.url or Path(state.path).name == "state.sqlite"


@pytest.mark.parametrize("folder", [*FOLDERS, SIDECAR], ids=lambda each: each.name)
def test_a_change_of_the_configuration_restarts_no_pod(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    copy = tmp_path / folder.relative_to(ROOT)
    for file in (tmp_path / "deploy/kustomize").rglob("config.yaml"):
        file.write_text(f"{file.read_text()}log: changed\n")
    assert workload(built(copy)) == workload(built(folder))
    assert [each for each in of_kind("ConfigMap", built(copy)) if "log: changed" in str(each["data"])]


def test_one_pod_alone_owns_the_state_file() -> None:
    spec = only("Deployment", built(BASE))["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    (state,) = (each for each in pod(built(BASE))["volumes"] if each["name"] == "state")
    claim = only("PersistentVolumeClaim", built(BASE))["metadata"]["name"]
    assert state["persistentVolumeClaim"]["claimName"] == claim


def test_shards_have_volumes_of_their_own_and_cover_every_target_once(tmp_path: Path) -> None:
    stateful = only("StatefulSet", built(SHARDED))["spec"]
    assert of_kind("Deployment", built(SHARDED)) == of_kind("PersistentVolumeClaim", built(SHARDED)) == []
    assert [each["metadata"]["name"] for each in stateful["volumeClaimTemplates"]] == ["state"]
    assert stateful["serviceName"] == only("Service", built(SHARDED))["metadata"]["name"]
    configs = [config_of(SHARDED, tmp_path, f"sagemaker-exporter-{n}") for n in range(stateful["replicas"])]
    assert {config.sharding.total for config in configs} == {stateful["replicas"]}
    whole = configs[0].model_copy(update={"sharding": Config().sharding})
    shared = [spot for config in configs for spot in target_specs(config)]
    assert sorted(map(repr, shared)) == sorted(map(repr, target_specs(whole)))


def test_replicas_share_a_database_and_have_no_volume(tmp_path: Path) -> None:
    found = built(REPLICAS)
    assert of_kind("PersistentVolumeClaim", found) == []
    assert only("Deployment", found)["spec"]["replicas"] == 2
    labels = workload(found)["spec"]["template"]["metadata"]["labels"].items()
    assert only("PodDisruptionBudget", found)["spec"]["selector"]["matchLabels"].items() <= labels
    spread = pod(found)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(each["labelSelector"]["matchLabels"].items() <= labels for each in spread)
    state = config_of(REPLICAS, tmp_path).state
    (mount,) = (each for each in container(found)["volumeMounts"] if each["name"] == "database")
    assert state.password_file == f"{mount['mountPath']}/password"
    assert {"port": 5432, "protocol": "TCP"} in only("NetworkPolicy", found)["spec"]["egress"][0]["ports"]
    # What the Secret must contain is what the command in the kustomization puts into it.
    (command,) = re.findall(r"create secret generic (.+)", (REPLICAS / "kustomization.yaml").read_text())
    (volume,) = (each for each in pod(found)["volumes"] if each["name"] == "database")
    assert volume["secret"] == {"secretName": command.split()[0]}
    assert re.findall(r"--from-file=(\S+)", command) == ["password", "ca.crt"]
    assert state.url.endswith(f"{mount['mountPath']}/ca.crt")


@pytest.mark.parametrize(
    ("profile", "file"),
    [("", "monitoring/prometheusrule"), ("jobs", "monitoring/prometheusrule-jobs"), ("rates", "rates/prometheusrule")],
)
def test_a_prometheus_rule_is_made_from_the_rules(profile: str, file: str) -> None:
    command = [str(ROOT / "hack/prometheusrule.sh"), *([profile] if profile else [])]
    made = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    assert (KUSTOMIZE / f"components/{file}.yaml").read_text() == made, "make manifests"
    groups = yaml.safe_load(made)["spec"]["groups"]
    files = sorted((ROOT / "deploy/prometheus" / profile).glob("*.rules.yml"))
    assert groups == [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]


@pytest.mark.parametrize(("profile", "components"), [("jobs", ["monitoring"]), ("rates", ["monitoring", "rates"])])
def test_a_profile_of_alerts_is_a_choice_of_components(profile: str, components: list[str], tmp_path: Path) -> None:
    deploy = shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    overlay = deploy / "kustomize/overlays/monitoring/kustomization.yaml"
    its = yaml.safe_load(overlay.read_text())
    its["components"] = [f"../../components/{name}" for name in components]
    overlay.write_text(yaml.safe_dump(its))
    found = of_kind("PrometheusRule", built(overlay.parent))
    assert {each["metadata"]["name"] for each in found} == {"sagemaker-exporter", f"sagemaker-exporter-{profile}"}


def test_the_dashboards_are_the_projects_and_grafana_looks_for_them() -> None:
    maps = [each for each in of_kind("ConfigMap", built(MONITORING)) if "config.yaml" not in each["data"]]
    shown = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    there = {path.name: json.loads(path.read_text()) for path in ROOT.glob("deploy/grafana/*.json")}
    assert shown.keys() == there.keys(), "name each dashboard in deploy/grafana/kustomization.yaml"
    assert shown == there
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in maps} == {"1"}


def test_whatever_is_applied_fits_the_annotation_of_kubectl() -> None:
    assert max(len(json.dumps(json.dumps(each))) for each in built(MONITORING)) < 256 * 1024


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("kind", "labels", "pods", "instances"),
    [
        ("ReplicaSet", {}, PODS, ("sagemaker-exporter",) * 2),
        ("ReplicaSet", {"app_kubernetes_io_component": "replica"}, PODS, PODS),
        ("StatefulSet", {}, SHARDS, SHARDS),
    ],
)
def test_an_instance_is_a_shard_or_a_replica_and_not_every_pod(
    kind: str, labels: dict[str, str], pods: tuple[str, ...], instances: tuple[str, ...], tmp_path: Path
) -> None:
    monitor: Object = only("ServiceMonitor", built(MONITORING))
    template = workload(built(REPLICAS))["spec"]["template"]["metadata"]["labels"]
    assert labels.items() <= {key.replace(".", "_").replace("/", "_"): value for key, value in template.items()}.items()
    for name, instance in zip(pods, instances, strict=True):
        controller = {"__meta_kubernetes_pod_controller_kind": kind, "__meta_kubernetes_pod_name": name}
        controller |= {f"__meta_kubernetes_pod_label_{key}": value for key, value in labels.items()}
        found = scraped.labels(monitor, tmp_path, pod=name, namespace="a", job="b", **controller)
        assert found == {"instance": instance, "namespace": "a", "job": "b"}


def test_a_kustomization_of_ones_own_builds_on_the_base(tmp_path: Path) -> None:
    """Builds the example of docs/kubernetes.md: another image, another configuration, a role."""
    (block,) = own_kustomizations()
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    base = Path("../" * len(folder.resolve().parts[1:])) / BASE.relative_to("/")
    text = block.replace("sagemaker-exporter/deploy/kustomize/base", str(base))
    (folder / "kustomization.yaml").write_text(text)
    (folder / "config.yaml").write_text("targets: [{regions: [eu-west-1]}]\n")
    found = built(folder)
    assert container(found)["image"].startswith("registry.example.com/")
    assert config_of(folder, tmp_path).targets[0].regions == ("eu-west-1",)
    assert "eks.amazonaws.com/role-arn" in only("ServiceAccount", found)["metadata"]["annotations"]
    assert only("NetworkPolicy", found)["spec"]["egress"][1] == {
        "ports": [{"port": 443, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "10.0.8.0/21"}}],
    }
    assert [wrong for each in found if (wrong := problems(each, VERSIONS[-1]))] == []


def own_kustomizations() -> list[str]:
    """Return the kustomizations in docs/kubernetes.md."""
    blocks = (ROOT / "docs/kubernetes.md").read_text().split("```yaml\n")[1:]
    return [text for block in blocks if "kind: Kustomization" in (text := block.split("```")[0])]
