"""Test the compose file of two exporters that share a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.config import load
from tests.deploy.ruleset import load as read
from tests.prometheus import ROOT, promtool

DEPLOY = ROOT / "deploy"
BASE: dict[str, Any] = read(DEPLOY / "docker-compose.yml")["services"]
REPLICAS = read(DEPLOY / "compose/replicas.yml")
SERVICES: dict[str, dict[str, Any]] = REPLICAS["services"]
EXPORTERS = ({**BASE["exporter"], **SERVICES["exporter"]}, SERVICES["exporter-2"])
CONFIG = DEPLOY / "compose/replicas.yaml"
PROMETHEUS = DEPLOY / "compose/prometheus-replicas.yml"


def test_the_exporters_differ_in_nothing_but_their_port_and_their_turn() -> None:
    differing = {key for key in {*EXPORTERS[0], *EXPORTERS[1]} if EXPORTERS[0].get(key) != EXPORTERS[1].get(key)}
    assert differing == {"ports", "depends_on"}
    assert [each["ports"] for each in EXPORTERS] == [["127.0.0.1:9841:9841"], ["127.0.0.1:9842:9841"]]
    for each in EXPORTERS:
        assert each["depends_on"]["database"] == {"condition": "service_healthy"}


def test_every_file_that_is_mounted_is_there_or_made_by_the_instructions() -> None:
    for service in SERVICES.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith("./") else source in REPLICAS["volumes"], source
    (secret,) = (each["file"] for each in REPLICAS["secrets"].values())
    path = (DEPLOY / secret).relative_to(ROOT)
    assert f"> {path} " in (DEPLOY / "compose/replicas.yml").read_text()
    assert f"/{path}\n" in (ROOT / ".gitignore").read_text()


def test_the_exporters_take_the_configuration_and_find_the_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-config", str(CONFIG)]) == 0, capsys.readouterr().err
    (flag,) = EXPORTERS[0]["command"]
    assert EXPORTERS[0]["volumes"] == [f"./compose/replicas.yaml:{flag.removeprefix('--config.file=')}:ro"]
    state = load(str(CONFIG), {}).state
    database = SERVICES["database"]
    settings = database["environment"]
    assert state.url == f"postgresql://{settings['POSTGRES_USER']}@database/{settings['POSTGRES_DB']}"
    assert state.password_file == settings["POSTGRES_PASSWORD_FILE"]
    for each in (*EXPORTERS, database):
        assert each["secrets"] == [Path(state.password_file).name]


def test_the_database_has_no_privileges_and_is_reached_by_the_exporters_only() -> None:
    database = SERVICES["database"]
    assert "ports" not in database
    assert (database["cap_drop"], database["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert int(database["image"].partition(":")[2].partition(".")[0]) >= 14


def test_prometheus_scrapes_both_and_is_otherwise_the_same() -> None:
    alone, both = read(DEPLOY / "compose/prometheus.yml"), read(PROMETHEUS)
    (static,) = both["scrape_configs"][0]["static_configs"]
    assert static["targets"] == ["exporter:9841", "exporter-2:9841"]
    static["targets"].pop()
    assert both == alone
    assert SERVICES["prometheus"]["volumes"][0].split(":")[1] in {
        each.split(":")[1] for each in BASE["prometheus"]["volumes"]
    }


def test_promtool_takes_the_configuration_of_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(PROMETHEUS.read_text().replace("rules/", f"{DEPLOY}/prometheus/"))
    outcome = promtool("check", "config", file)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
