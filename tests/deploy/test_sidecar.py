"""Test the exporter as a sidecar: it does not block the pod, is restricted, and exports only its own jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.catalogue import CATALOGUE
from exporter.config import Config, load
from exporter.ledger.sums import TOTALS
from exporter.simulator import Simulator, steady
from exporter.training.active import ACTIVE
from tests.deploy import podsecurity
from tests.deploy.kubernetes import KUSTOMIZE, VERSIONS, Object, built, of_kind, only, pod, problems
from tests.deploy.pods import running
from tests.e2e.exposed import lead_to

EXAMPLE = KUSTOMIZE / "overlays/sidecar"
ACCOUNT, REGION = "123456789012", "us-east-1"


def sidecar() -> Object:
    (found,) = pod(built(EXAMPLE))["initContainers"]
    spec: Object = found
    return spec


def config(tmp_path: Path) -> Config:
    (found,) = of_kind("ConfigMap", built(EXAMPLE))
    (mounted,) = (each["configMap"]["name"] for each in pod(built(EXAMPLE))["volumes"])
    assert mounted == found["metadata"]["name"]
    (tmp_path / "config.yaml").write_text(found["data"]["config.yaml"])
    return load(str(tmp_path / "config.yaml"), {}, known_metrics={family.name for family in CATALOGUE})


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    assert [found for each in built(EXAMPLE) if (found := problems(each, version))] == []


def test_it_is_a_native_sidecar_beside_the_application() -> None:
    assert sidecar()["restartPolicy"] == "Always"
    assert [each["name"] for each in pod(built(EXAMPLE))["containers"]] == ["launcher"]


def test_it_is_restricted_and_small_and_nobody_waits_for_it() -> None:
    assert podsecurity.violations(pod(built(EXAMPLE))) == []
    assert sidecar()["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"startupProbe", "readinessProbe"} & sidecar().keys() == set()
    assert sidecar()["resources"]["limits"] == {"memory": "256Mi"}


def test_only_what_has_the_label_gets_one() -> None:
    kinds = [each["kind"] for each in built(EXAMPLE) if "initContainers" in str(each)]
    assert kinds == ["Deployment"]
    assert only("Deployment", built(EXAMPLE))["metadata"]["labels"]["sagemaker-exporter/sidecar"] == "true"


def test_it_shows_its_own_jobs_and_no_totals(tmp_path: Path) -> None:
    its = config(tmp_path)
    assert its.jobs.selects("launcher-2026-11-24")
    assert not its.jobs.selects("somebody-elses")
    assert its.state.path == ""
    assert (its.prices.source, its.quotas.interval) == ("none", 0)
    of_targets = {family.name for group in (ACTIVE, TOTALS) for family in group.families}
    assert {family.name for family in CATALOGUE if its.jobs.disables(family.name)} == of_targets


def test_prometheus_finds_it_by_its_own_port() -> None:
    (endpoint,) = only("PodMonitor", built(EXAMPLE))["spec"]["podMetricsEndpoints"]
    assert [port["name"] for port in sidecar()["ports"]] == [endpoint["port"]]
    selector = only("PodMonitor", built(EXAMPLE))["spec"]["selector"]["matchLabels"]
    template = only("Deployment", built(EXAMPLE))["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= template.items()


async def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = built(EXAMPLE)
    async with Simulator() as simulator:
        simulator.store.add(ACCOUNT, REGION, *steady(2, simulator.clock.time() - 3600))
        lead_to(simulator, monkeypatch)
        async with running(sidecar(), found, pod(found), tmp_path, {}) as it:
            await it.until("livenessProbe", 200)
            assert await it.get("/metrics") == 200
