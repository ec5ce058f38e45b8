"""Test docker-compose: mounted files exist, the three services find each other, and Prometheus accepts its file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PrometheusFactory
from tests.e2e.demonstration import demonstration
from tests.prometheus import ROOT

DEPLOY = ROOT / "deploy"


def load(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text())


COMPOSE = load("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: str) -> dict[str, str]:
    """Return the local file or volume of each path in the service."""
    return {target: source for source, target, *_ in (each.split(":") for each in SERVICES[service]["volumes"])}


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_what_is_mounted_is_there_and_read_only(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        source, _, *mode = volume.split(":")
        if source.startswith("./compose/"):
            assert (DEPLOY / source).is_file(), source
        assert (mode == ["ro"]) == source.startswith("./")
        assert source.startswith("./") or source in COMPOSE["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_reached_from_this_machine_only_and_has_no_privileges(service: str) -> None:
    settings = SERVICES[service]
    assert [port for port in settings["ports"] if not port.startswith("127.0.0.1:")] == []
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    name, _, tag = settings["image"].partition(":")
    assert "build" in settings or (name and tag[:1].removeprefix("v") in {"", *"123456789"} and "." in tag)


def test_the_exporter_is_the_dockerfile_on_a_read_only_root() -> None:
    exporter = SERVICES["exporter"]
    assert (DEPLOY / exporter["build"]["context"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    assert exporter["command"][0] == "demo"
    assert exporter["read_only"] is True


def test_prometheus_scrapes_the_exporter_and_grafana_asks_prometheus() -> None:
    (job,) = load("compose/prometheus.yml")["scrape_configs"]
    (static,) = job["static_configs"]
    assert static["targets"] == ["exporter:9841"]
    (source,) = load("compose/datasource.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {"exporter", "prometheus"} < SERVICES.keys()


def test_grafana_is_given_the_dashboards() -> None:
    (provider,) = load("compose/dashboards.yml")["providers"]
    assert mounts("grafana")[provider["options"]["path"]] == "./grafana"


async def test_prometheus_takes_the_file_with_every_rule_and_scrapes(
    prometheus: PrometheusFactory, tmp_path: Path
) -> None:
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "rules")
    rules = [path for part in ("prometheus", "prometheus/jobs") for path in (DEPLOY / part).glob("*.rules.yml")]
    text = (DEPLOY / "compose/prometheus.yml").read_text().replace("scrape_interval: 15s", "scrape_interval: 500ms")
    with demonstration(tmp_path) as demo:
        async with prometheus(text.replace("exporter:9841", demo.address)) as server:
            up = await server.wait_until(lambda: server.query("sagemaker_exporter_build_info"))
            groups = (await server.api("rules"))["groups"]
    assert [sample.value for sample in up] == [1]
    assert {Path(group["file"]).name for group in groups} == {file.name for file in rules}
