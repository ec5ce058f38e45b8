"""Test a release: everything published has one version, which comes from the tag."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

from hack import release
from tests.prometheus import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the files that have a version in them."""
    for file in {file for file, _ in release.PLACES} | {"CHANGELOG.md"}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def test_the_tree_names_one_version() -> None:
    (version,) = re.findall(r"(?m)^version: (.*)$", (ROOT / release.CHART / "Chart.yaml").read_text())
    assert [each for each in release.problems(ROOT, version) if "CHANGELOG" not in each] == []


def test_what_was_prepared_can_be_released(tree: Path) -> None:
    before = list(release.problems(tree, "7.8.9"))
    assert {each.partition(":")[0] for each in before} == {file for file, _ in release.PLACES} | {"CHANGELOG.md"}
    release.prepare(tree, "7.8.9", "2031-02-03")
    assert list(release.problems(tree, "7.8.9")) == []
    assert "## [Unreleased]\n\n## [7.8.9] - 2031-02-03\n" in (tree / "CHANGELOG.md").read_text()
    chart = yaml.safe_load((tree / release.CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == ("7.8.9", "7.8.9")
    once = (tree / "CHANGELOG.md").read_text()
    release.prepare(tree, "7.8.9", "2031-02-04")
    assert (tree / "CHANGELOG.md").read_text() == once


def test_what_does_not_agree_is_named(tree: Path) -> None:
    release.prepare(tree, "7.8.9", "2031-02-03")
    path = tree / "deploy/kustomize/base/kustomization.yaml"
    path.write_text(path.read_text().replace("7.8.9", "7.8.8"))
    (found,) = release.problems(tree, "7.8.9")
    assert found == ("deploy/kustomize/base/kustomization.yaml: 7.8.8, not 7.8.9: make release-prepare VERSION=7.8.9")
    for wrong in ("v7.8.9", "7.8", "7.8.9rc1", ""):
        assert "is not a version" in next(release.problems(tree, wrong))


def test_the_notes_are_the_section_of_the_changelog() -> None:
    changes = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2031-01-01\n\n- new\n\n## [0.1.0] - 2030-01-01\n\n- old\n"
    assert release.section(changes, "0.2.0") == "- new"
    assert release.section(changes, "0.1.0") == "- old"
    assert release.section(changes, "Unreleased") == release.section(changes, "0.3.0") == ""


def test_the_chart_that_is_published_has_the_version_and_the_image_of_the_tag(tmp_path: Path) -> None:
    release.chart(ROOT, "7.8.9", "ghcr.io/someone/exporter", tmp_path)
    with tarfile.open(tmp_path / "sagemaker-exporter-7.8.9.tgz") as tar:
        chart, *values = (
            yaml.safe_load(tar.extractfile(f"sagemaker-exporter/{name}.yaml") or b"")
            for name in ("Chart", "values", "defaults")
        )
    assert (chart["version"], chart["appVersion"]) == ("7.8.9", "7.8.9")
    assert [each["image"]["repository"] for each in values] == ["ghcr.io/someone/exporter"] * 2


def test_the_wheel_is_typed_and_has_the_version_of_the_tag(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "exporter", source / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["tag", "v7.8.9"], ["tag", "other-9.9.9"]):
        subprocess.run([*git, *command], cwd=source, check=True, timeout=240)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, timeout=100, capture_output=True)
    with zipfile.ZipFile(tmp_path / "sagemaker_exporter-7.8.9-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read("sagemaker_exporter-7.8.9.dist-info/METADATA"))
        wheel.extractall(tmp_path / "installed")
    assert "exporter/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {"exporter", "sagemaker_exporter-7.8.9.dist-info"}
    assert metadata["Version"] == "7.8.9"
    said = subprocess.run(
        [sys.executable, "-c", "import exporter; print(exporter.__version__)"],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert said.stdout == "7.8.9\n"
    rendering = """
from exporter.web.page import Status, render
print(render(Status("7.8.9", 0.0, 0.0, True, (), ()), {}))
"""
    page = subprocess.run(
        [sys.executable, "-c", rendering],
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert "<dd>7.8.9</dd>" in page.stdout
    assert page.stdout.endswith("</html>\n")


def test_the_steps_of_a_release_are_targets() -> None:
    named = re.findall(r"(?m)(?:`|^ +)make ([a-z-]+)", (ROOT / "RELEASING.md").read_text())
    assert {"release-prepare", "release-check", "release-tag", "soak", "image", "chart", "wheel"} <= set(named)
    assert {name for name in named if not re.search(rf"(?m)^{name}:.*##", MAKEFILE)} == set()
