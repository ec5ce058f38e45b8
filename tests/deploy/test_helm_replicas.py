"""Test the chart's replicas: pods that share a database come and go beside each other, and keep nothing themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.deploy import scraped
from tests.deploy.given import accepted, rendered
from tests.deploy.kubernetes import CHART, Object, container, of_kind, only, pod, values, workload

URL = "postgresql://exporter@db.example.org/totals"
DATABASE = "/etc/sagemaker-exporter/database"

REFUSED: dict[str, tuple[Object, str]] = {
    "nothing to share": ({"replicas": 2}, "replicas is 2, but state.url is empty"),
    "shards, too": (
        {"shards": 2, "state": {"url": URL}, "config": {"targets": [{"regions": ["eu-west-1"]}]}},
        "Set shards to 1, and replicas to the number of pods",
    ),
    "a volume, too": ({"state": {"url": URL}, "persistence": {"enabled": True}}, "no volume is needed"),
    "a password without a database": (
        {"state": {"passwordSecret": {"name": "a"}}},
        "state.passwordSecret.name is set, but state.url is empty",
    ),
    "a password in the URL": (
        {"state": {"url": "postgresql://a:open%20sesame@db/totals"}},
        "state.url contains a password",
    ),
    "a password in a parameter": ({"state": {"url": f"{URL}?a=b&password=c"}}, "state.url contains a password"),
    "no PostgreSQL": ({"state": {"url": "mysql://db/totals"}}, "at '/state/url'"),
    "a volume of the chart": (
        {"state": {"url": URL}, "extraVolumes": [{"name": "database", "emptyDir": {}}]},
        "give it another name",
    ),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_go_together_is_refused(given: Object, words: str, tmp_path: Path) -> None:
    found = rendered(tmp_path, given)
    assert isinstance(found, str), "it was taken"
    assert words in found
    assert "sesame" not in found


def test_replicas_are_a_deployment_that_is_replaced_pod_by_pod_and_has_no_volume() -> None:
    spec = only("Deployment", values("replicas"))["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert of_kind("PersistentVolumeClaim", values("replicas")) == []
    assert {each["name"] for each in pod(values("replicas"))["volumes"]} == {"config", "database", "database-ca"}
    assert only("Service", values("replicas"))["spec"]["clusterIP"] == "None"


def test_several_replicas_are_spread_and_leave_one_at_a_time(tmp_path: Path) -> None:
    assert only("PodDisruptionBudget", values("replicas"))["spec"]["maxUnavailable"] == 1
    constraints = pod(values("replicas"))["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    labels = workload(values("replicas"))["spec"]["template"]["metadata"]["labels"].items()
    assert all(each["labelSelector"]["matchLabels"].items() <= labels for each in constraints)

    one = accepted(tmp_path, {"state": {"url": URL}})
    assert of_kind("PodDisruptionBudget", one) == []
    assert "topologySpreadConstraints" not in pod(one)
    own = [{"maxSkew": 2, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]
    other = accepted(tmp_path, {"replicas": 2, "state": {"url": URL}, "topologySpreadConstraints": own})
    assert pod(other)["topologySpreadConstraints"] == own


def test_another_database_replaces_the_pods_and_other_settings_do_not(tmp_path: Path) -> None:
    def template(**given: object) -> object:
        return workload(accepted(tmp_path, {"state": {"url": URL}, **given}))["spec"]["template"]

    assert template() != template(state={"url": f"{URL}2"})
    assert template() == template(config={"jobs": {"retention": "2h"}}, replicas=1)


def test_the_password_is_a_file_that_follows_its_secret(tmp_path: Path) -> None:
    found = accepted(tmp_path, {"state": {"url": URL, "passwordSecret": {"name": "db", "key": "pass.word"}}})
    (volume,) = (each for each in pod(found)["volumes"] if each["name"] == "database")
    assert volume["secret"] == {"secretName": "db", "items": [{"key": "pass.word", "path": "password"}]}
    (mount,) = (each for each in container(found)["volumeMounts"] if each["name"] == "database")
    # With a subPath the kubelet would not renew the file.
    assert mount == {"name": "database", "mountPath": DATABASE, "readOnly": True}
    assert f"password_file: {DATABASE}/password" in only("ConfigMap", found)["data"]["config.yaml"]

    without = accepted(tmp_path, {"state": {"url": URL}})
    assert {each["name"] for each in pod(without)["volumes"]} == {"config"}
    assert "password_file" not in only("ConfigMap", without)["data"]["config.yaml"]


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        (URL, {5432}),
        ("postgresql://db.example.org:6000/totals", {6000}),
        ("postgres://a@[fd00::1]:6000,[fd00::2],c:6001/totals?sslmode=require", {6000, 5432, 6001}),
        ("postgresql://a@b,c/totals?sslmode=require&port=6000,6001", {6000, 6001}),
        ("postgresql:///totals?host=db.example.org", {5432}),
        ("postgresql://a@b:6000?options=-c%20a%3Db:1", {6000}),
    ],
)
def test_the_network_policy_lets_out_to_the_ports_of_the_database(url: str, ports: set[int], tmp_path: Path) -> None:
    def let_out(given: Object) -> set[int]:
        found = accepted(tmp_path, {**given, "networkPolicy": {"enabled": True}})
        rules: list[Any] = only("NetworkPolicy", found)["spec"]["egress"]
        return {each["port"] for rule in rules for each in rule["ports"]}

    assert let_out({"state": {"url": url}}) - let_out({}) == ports


def test_the_network_policy_may_name_the_addresses_of_the_database(tmp_path: Path) -> None:
    policy = {"enabled": True, "databaseCidrs": ["10.0.16.0/24"]}
    found = accepted(tmp_path, {"state": {"url": URL}, "networkPolicy": policy})
    (rule,) = (each for each in only("NetworkPolicy", found)["spec"]["egress"] if each["ports"][0]["port"] == 5432)
    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.16.0/24"}}]


@pytest.mark.prometheus
@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_each_replica_is_an_instance(kind: str, tmp_path: Path) -> None:
    found = accepted(tmp_path, {"replicas": 2, "state": {"url": URL}, "monitor": {"kind": kind}})
    pods = ["rel-sagemaker-exporter-7d9f-abcde", "rel-sagemaker-exporter-7d9f-fghij"]
    instances = [
        scraped.labels(only(kind, found), tmp_path, pod=each, __meta_kubernetes_pod_name=each)["instance"]
        for each in pods
    ]
    assert instances == pods


def test_one_process_with_a_file_stays_the_default() -> None:
    spec = workload(values("values"))["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "url" not in only("ConfigMap", values("values"))["data"]["config.yaml"]
    assert (CHART / "ci/replicas-values.yaml").is_file()
