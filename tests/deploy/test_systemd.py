"""Test the systemd unit: it is valid, has low exposure, and its flags and paths suit the exporter."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import ProcessCollector

from tests.prometheus import ROOT

FOLDER = ROOT / "deploy/systemd"
UNIT = (FOLDER / "sagemaker-exporter.service").read_text()
ENVIRONMENT = (FOLDER / "sagemaker-exporter.env").read_text()
PROGRAM = "/opt/sagemaker-exporter/bin/sagemaker-exporter"

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")


def settings(name: str) -> list[str]:
    """Return every value of this setting in the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the unit as on a host that has the program where the unit expects it."""
    unit = tmp_path / "sagemaker-exporter.service"
    unit.write_text(UNIT.replace(PROGRAM, sys.executable))
    return unit


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@needs_systemd
def test_systemd_has_nothing_to_say(installed: Path) -> None:
    outcome = analyze("verify", "--man=no", installed)
    assert (outcome.returncode, outcome.stdout + outcome.stderr) == (0, "")


@needs_systemd
def test_verify_would_have_found_a_mistake(installed: Path) -> None:
    installed.write_text(installed.read_text().replace("ProtectSystem=", "ProtectSistem="))
    assert "ProtectSistem" in analyze("verify", "--man=no", installed).stderr


@needs_systemd
def test_there_is_little_to_attack(installed: Path) -> None:
    """The exposure is in tenths: 12 remain, most of them for the network access that an exporter needs."""
    outcome = analyze("security", "--offline=true", "--threshold=15", installed)
    assert outcome.returncode == 0, outcome.stdout


def test_the_flags_are_the_exporters() -> None:
    command = [sys.executable, "-m", "exporter", "--help"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True).stdout
    options = re.findall(r"^OPTIONS=(.*)$", ENVIRONMENT, re.MULTILINE)
    given = " ".join([*settings("ExecStart"), *(word for each in options for word in shlex.split(each))])
    flags = re.findall(r"--[\w.-]+", given)
    assert len(flags) == 2
    assert [flag for flag in flags if flag not in known] == []


def test_every_path_is_installed_by_the_units_own_instructions() -> None:
    instructions = "\n".join(line for line in UNIT.splitlines() if line.startswith("#"))
    (environment,) = settings("EnvironmentFile")
    configuration = "/etc/sagemaker-exporter/config.yaml"
    assert environment.removeprefix("-") in instructions
    assert configuration in instructions
    assert all(configuration in each and PROGRAM in each for each in settings("ExecStart") + settings("ExecStartPre"))
    for source in re.findall(r"install (?:-Dm|-m) \d+ (\S+)", instructions):
        assert (ROOT / source).is_file()


def test_the_state_file_lies_in_the_only_folder_it_may_write() -> None:
    (folder,) = settings("StateDirectory")
    assert f"path: /var/lib/{folder}/" in UNIT
    assert settings("ProtectSystem") == ["strict"]
    assert settings("ReadWritePaths") == []


def process_metrics(proc: Path, *entries: str) -> set[str]:
    """Return the families of the exporter's own process if it can read only this part of /proc."""
    proc.mkdir()
    for name in entries:
        (proc / name).symlink_to(f"/proc/{name}")
    return {family.name for family in ProcessCollector(registry=None, proc=str(proc)).collect()}


def test_the_unit_leaves_what_the_metrics_of_the_process_are_read_from(tmp_path: Path) -> None:
    """ProcSubset=pid hides /proc/stat with the boot time, without which there are no process_* metrics."""
    hidden = settings("ProcSubset") == ["pid"]
    found = process_metrics(tmp_path / "unit", "self", *(() if hidden else ("stat",)))
    wanted = {"process_resident_memory_bytes", "process_start_time_seconds", "process_cpu_seconds", "process_open_fds"}
    assert wanted <= found
    assert process_metrics(tmp_path / "pid", "self") == set()
    assert settings("ProtectProc") == ["invisible"], "the processes of others stay hidden"
