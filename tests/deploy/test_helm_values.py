"""Test that the chart, for any values, renders valid objects or names the invalid value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.deploy.given import DEFAULTS, accepted, changed, leaves, merged, nested, nodes, rendered
from tests.deploy.kubernetes import CHART, VALUES, Object, only, pod
from tests.deploy.strict import violations

SCHEMA = Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
# Values that people write, and what a shell or YAML turns other values into.
MISTAKES = (True, 5, "", "5", "true", "a: b", "-", "Ab.c-")
# The values files that `make test` makes mistakes in; the others take many seconds.
QUICK = {"secured"}
# These values are passed to Kubernetes, and null removes the default.
HANDED_ON = {"resources", "podSecurityContext", "securityContext", "labels"}


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.long)
        for name in sorted(VALUES.keys() - {"values"})
    ],
)
@pytest.mark.parametrize("mistake", MISTAKES, ids=json.dumps)
def test_a_mistake_is_refused_by_the_schema_or_renders_to_what_kubernetes_takes(
    mistake: object, name: str, tmp_path: Path
) -> None:
    whole = merged(DEFAULTS, yaml.safe_load(VALUES[name].read_text()))
    taken = whole
    for path in leaves(whole):
        if SCHEMA.is_valid(changed(whole, path, mistake)):
            taken = changed(taken, path, mistake)
    # Switches keep their values; otherwise most objects would be missing.
    for section in ("persistence", "networkPolicy", "podDisruptionBudget", "prometheusRule", "dashboards"):
        taken[section]["enabled"] = whole[section]["enabled"]
    # The chart accepts only one of the two web configurations, and one claim. Shards need targets.
    taken["webConfig"]["existingSecret"] = whole["webConfig"]["existingSecret"]
    taken["persistence"]["existingClaim"] = whole["persistence"]["existingClaim"]
    taken["shards"] = whole["shards"]
    # Replicas need a database, and a password has one.
    taken["replicas"], taken["state"]["url"] = whole["replicas"], whole["state"]["url"]
    taken["state"]["passwordSecret"]["name"] = whole["state"]["passwordSecret"]["name"]
    accepted(tmp_path, taken)


def test_the_schema_takes_no_scalar_for_what_has_more_in_it() -> None:
    for name in VALUES:
        whole = merged(DEFAULTS, yaml.safe_load(VALUES[name].read_text()))
        inner = set(nodes(whole)) - set(leaves(whole))
        assert inner
        assert [
            (path, each) for path in inner for each in MISTAKES if SCHEMA.is_valid(changed(whole, path, each))
        ] == []


@pytest.mark.parametrize("section", DEFAULTS)
def test_null_is_a_value_left_out(section: str, tmp_path: Path) -> None:
    everything = yaml.safe_load(VALUES["secured"].read_text())
    found = rendered(tmp_path, {**everything, section: None})
    assert [words for each in found if isinstance(each, dict) for words in violations(each)] == []
    without = {key: value for key, value in everything.items() if key != section}
    assert (found == rendered(tmp_path, without)) or section in HANDED_ON


def test_null_removes_what_kubernetes_would_be_given(tmp_path: Path) -> None:
    values = {
        "resources": {"limits": None},
        "podSecurityContext": {"fsGroup": None, "runAsUser": None},
        "dashboards": {"enabled": True, "labels": None},
    }
    found = accepted(tmp_path, values)
    (container,) = pod(found)["containers"]
    assert set(container["resources"]) == {"requests"}
    assert pod(found)["securityContext"].keys() & {"fsGroup", "runAsUser", "runAsGroup"} == {"runAsGroup"}
    assert not any("grafana_dashboard" in each["metadata"]["labels"] for each in found)


def test_every_value_may_be_null_where_it_has_a_default(tmp_path: Path) -> None:
    """A key is null if everything below it in a values file is commented out."""
    for depth in (2, 3):
        nothing: Object = {}
        for path in (
            each for each in nodes(DEFAULTS) if len(each) == depth and all(isinstance(key, str) for key in each)
        ):
            if HANDED_ON.isdisjoint(path) and "networkPolicy" not in path and "metadata" not in path:
                nothing = merged(nothing, nested(path, None))
        assert accepted(tmp_path, nothing) == accepted(tmp_path, {})


def test_the_exporters_own_sections_may_be_empty(tmp_path: Path) -> None:
    empty = dict.fromkeys(("polling", "targets", "jobs", "totals", "prices", "quotas", "cloudwatch"))
    found = accepted(tmp_path, {"config": empty, "webConfig": {"content": {"tls_server_config": None}}})
    assert yaml.safe_load(only("ConfigMap", found)["data"]["config.yaml"]).keys() == {*empty, "state"}


REFUSED = {
    "a number for a variable": (
        {"extraEnv": [{"name": "A", "value": 5}]},
        "at '/extraEnv/0/value': got number, want string",
    ),
    "a switch for a variable": (
        {"extraEnv": [{"name": "A", "value": True}]},
        "at '/extraEnv/0/value': got boolean, want",
    ),
    "nothing for a variable": ({"extraEnv": [{"name": "A", "value": None}]}, "at '/extraEnv/0/value'"),
    "no name of a variable": ({"extraEnv": [{"value": "5"}]}, "at '/extraEnv/0': missing property 'name'"),
    "a variable of the chart": ({"extraEnv": [{"name": "POD_NAME", "value": "a"}]}, "extraEnv sets POD_NAME"),
    "the region twice": (
        {"region": "eu-west-1", "extraEnv": [{"name": "AWS_DEFAULT_REGION", "value": "a"}]},
        "or leave region empty",
    ),
    "a volume of the chart": ({"extraVolumes": [{"name": "state", "emptyDir": {}}]}, "give it another name"),
    "a number for a name": ({"fullnameOverride": 123}, "at '/fullnameOverride': got number, want string"),
    "a name of digits": ({"fullnameOverride": "123"}, "at '/fullnameOverride'"),
    "a name in capitals": ({"fullnameOverride": "Exporter"}, "at '/fullnameOverride'"),
    "a name that ends with a dash": ({"fullnameOverride": "exporter-"}, "at '/fullnameOverride'"),
    "a name with dots": ({"fullnameOverride": "a.b"}, "at '/fullnameOverride'"),
    "a long name": ({"fullnameOverride": "a" * 41}, "at '/fullnameOverride': maxLength: got 41, want 40"),
    "a timeout beyond the interval": (
        {"monitor": {"interval": "1m30s", "scrapeTimeout": "91s"}},
        "monitor.scrapeTimeout is 91s and monitor.interval is 1m30s",
    ),
    "no interval": ({"monitor": {"interval": "0"}}, "monitor.interval is 0"),
    "no time for a scrape": ({"monitor": {"scrapeTimeout": "0s"}}, "monitor.scrapeTimeout is 0s"),
    "a number for an interval": ({"monitor": {"interval": 30}}, "at '/monitor/interval'"),
    "a switch for a label": ({"podLabels": {"a": True}}, "at '/podLabels/a': got boolean, want string"),
    "a label with a space": ({"commonLabels": {"a": "b c"}}, "at '/commonLabels/a'"),
    "a key that is none": ({"podAnnotations": {"a b": "c"}}, "a b"),
    "a number for an annotation": ({"podAnnotations": {"prometheus.io/port": 9841}}, "got number, want string"),
    "a switch for a node's label": (
        {"nodeSelector": {"gpu": False}},
        "at '/nodeSelector/gpu': got boolean, want string",
    ),
    "a switch for a toleration": ({"tolerations": [{"key": "a", "value": True}]}, "at '/tolerations/0/value'"),
    "text for a port": ({"service": {"port": "9841"}}, "at '/service/port': got string, want integer"),
    "text for a user": ({"podSecurityContext": {"runAsUser": "1000"}}, "at '/podSecurityContext/runAsUser'"),
    "no quantity": ({"resources": {"limits": {"memory": "512 MB"}}}, "at '/resources/limits/memory'"),
    "an address for a network": (
        {"networkPolicy": {"enabled": True, "awsCidrs": ["10.0.8.1"]}},
        "at '/networkPolicy/awsCidrs/0'",
    ),
    "capital K": ({"persistence": {"size": "10K"}}, "at '/persistence/size'"),
    "two successes of a liveness probe": (
        {"probes": {"liveness": {"successThreshold": 2}}},
        "at '/probes/liveness/successThreshold'",
    ),
}


@pytest.mark.parametrize(("values", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_kubernetes_would_refuse_is_refused_with_its_place(values: Object, words: str, tmp_path: Path) -> None:
    found = rendered(tmp_path, values)
    assert isinstance(found, str), "it was taken"
    assert words in found
