"""Test the labels that the chart's monitors give a target: the same series after a restart, whatever the pod's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import scraped
from tests.deploy.kubernetes import CHART, only, rendered

pytestmark = pytest.mark.prometheus


def discovered(pod: str) -> dict[str, str]:
    return {
        "__meta_kubernetes_pod_name": pod,
        "pod": pod,
        "namespace": "obs",
        "job": "sagemaker-exporter",
    }


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_totals_go_on_in_the_same_series_when_the_pod_is_another(kind: str, tmp_path: Path) -> None:
    monitor = only(kind, rendered("--set", f"monitor.kind={kind}"))
    before = scraped.labels(monitor, tmp_path, **discovered("rel-sagemaker-exporter-7d9f-abcde"))
    after = scraped.labels(monitor, tmp_path, **discovered("rel-sagemaker-exporter-58c4-fghij"))
    assert before == after
    assert before == {"instance": "rel-sagemaker-exporter", "namespace": "obs", "job": "sagemaker-exporter"}


def test_each_shard_is_an_instance(tmp_path: Path) -> None:
    monitor = only("ServiceMonitor", rendered("--values", str(CHART / "ci/sharded-values.yaml")))
    pods = ["rel-sagemaker-exporter-0", "rel-sagemaker-exporter-1"]
    found = [scraped.labels(monitor, tmp_path, **discovered(pod)) for pod in pods]
    assert [each["instance"] for each in found] == pods
    assert all("pod" not in each for each in found)


def test_what_the_values_add_comes_last(tmp_path: Path) -> None:
    monitor = only("PodMonitor", rendered("--values", str(CHART / "ci/secured-values.yaml")))
    found = scraped.labels(monitor, tmp_path, **discovered("training-metrics-7d9f-abcde"))
    assert (found["cluster"], found["instance"]) == ("production", "training-metrics")
