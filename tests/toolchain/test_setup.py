"""Test what make checks first: environments and Prometheus exist, or it reports what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prometheus import ROOT

TOOLS = ("cat", "cksum", "cut", "dirname", "env", "grep", "id", "mkdir", "mktemp", "mv", "rm", "sh")
NOTHING = "# nothing\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a checkout with hack/ and one lock, and a bin/ with all available programs."""
    shutil.copytree(ROOT / "hack", tmp_path / "hack")
    (tmp_path / "requirements.lock").write_text(NOTHING)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    return tmp_path


def program(tree: Path, name: str, script: str) -> None:
    path = tree / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(tree: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "hack" / script, *arguments],
        cwd="/",
        env={"PATH": str(tree / "bin"), "HOME": str(tree), "PIP_NO_INDEX": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def assert_refused(outcome: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that a command failed with these messages and without a traceback."""
    assert outcome.returncode == 1, outcome
    assert "Traceback" not in outcome.stderr
    assert [word for word in words if word not in outcome.stderr] == []


def old_python(tree: Path, name: str) -> None:
    program(tree, name, 'case "$2" in *print*) echo 3.8.10 ;; *) exit 1 ;; esac')


def real_python(tree: Path, name: str = "python3", but: str = "") -> None:
    # No symlink: outside its folder a linked interpreter would look for its library in the wrong place.
    program(tree, name, f'{but}\nexec {getattr(sys, "_base_executable", sys.executable)} "$@"')


def test_an_old_python_is_named_with_a_way_out(tree: Path) -> None:
    old_python(tree, "python3")
    assert_refused(run(tree, "venv.sh", "requirements.lock"), "3.11 or newer", "python3 is 3.8.10", "PYTHON=")
    assert not (tree / ".venv").exists()


def test_no_python_at_all_is_said(tree: Path) -> None:
    assert_refused(run(tree, "venv.sh", "requirements.lock"), "python3 is not there")
    named = run(tree, "venv.sh", "requirements.lock", PYTHON="python3.99")
    assert_refused(named, "python3.99 is not there")


def test_python_without_venv_names_the_package(tree: Path) -> None:
    real_python(tree, but='case "$2" in *ensurepip*) exit 1 ;; esac')
    wanted = f"apt install python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert_refused(run(tree, "venv.sh", "requirements.lock"), "without its venv module", wanted)


def test_a_missing_lock_is_named(tree: Path) -> None:
    real_python(tree)
    assert_refused(run(tree, "venv.sh", "other.lock"), "other.lock is missing")


def test_a_newer_python_is_found_behind_an_old_one_and_nothing_is_installed_twice(tree: Path) -> None:
    old_python(tree, "python3")
    real_python(tree, "python3.12")
    (tree / "dev.lock").write_text(NOTHING)
    outputs = [
        run(tree, "venv.sh", *locks.split()).stdout
        for locks in (
            "requirements.lock",
            "requirements.lock dev.lock",
            "requirements.lock",
            "requirements.lock dev.lock",
        )
    ]
    assert [bool(output) for output in outputs] == [True, True, False, False]
    (tree / "requirements.lock").write_text(NOTHING * 2)
    again = [run(tree, "venv.sh", "requirements.lock").stdout for _ in range(2)]
    assert [bool(output) for output in again] == [True, False]


def test_a_broken_environment_is_made_anew(tree: Path) -> None:
    real_python(tree)
    (tree / ".venv/bin").mkdir(parents=True)
    (tree / ".venv/bin/python").symlink_to("/nowhere/python")
    outcome = run(tree, "venv.sh", "requirements.lock")
    assert outcome.returncode == 0, outcome.stderr
    assert os.access(tree / ".venv/bin/python", os.X_OK)


def test_a_failing_installation_is_explained_and_tried_again(tree: Path) -> None:
    real_python(tree)
    (tree / "requirements.lock").write_text(f"nowhere-to-be-had==1 --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        outcome = run(tree, "venv.sh", "requirements.lock", PIP_FIND_LINKS=str(tree))
        assert_refused(outcome, "No matching distribution", "could not be installed", "PyPI")


def prometheus_in(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("prometheus", "promtool"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_prometheus_is_taken_from_where_it_is(tree: Path) -> None:
    named = prometheus_in(tree / "named")
    assert run(tree, "prometheus.sh", PROMETHEUS=str(named)).stdout == f"{named}\n"
    prometheus_in(tree / "bin")
    assert run(tree, "prometheus.sh").stdout == f"{tree}/bin\n"
    cached = prometheus_in(tree / ".cache/prometheus/usr/bin")
    assert run(tree, "prometheus.sh").stdout == f"{cached}\n"


def test_a_wrong_folder_for_prometheus_is_said(tree: Path) -> None:
    assert_refused(run(tree, "prometheus.sh", PROMETHEUS="/nowhere"), "PROMETHEUS=/nowhere", "make test PROMETHEUS=")


def test_where_there_is_no_apt_it_says_how_to_bring_prometheus(tree: Path) -> None:
    assert_refused(run(tree, "prometheus.sh"), "only on Debian and Ubuntu", "make test PROMETHEUS=")


UNPACK = 'mkdir -p "$3/usr/bin" && for p in prometheus promtool; do cat /dev/null > "$3/usr/bin/$p"; done'


def with_apt(tree: Path, apt: str, user: int) -> None:
    """Install stand-ins for apt-get, which checks whether lists/ exists, and for dpkg -x."""
    program(tree, "apt-get", f"cd {tree}; {apt}")
    program(tree, "dpkg", f"{UNPACK}; {shutil.which('chmod')} +x $3/usr/bin/*")
    program(tree, "id", f"echo {user}")


NEEDS_LISTS = 'case "$2" in update) mkdir lists ;; *) [ -d lists ] || { echo "E: no lists"; exit 100; } ;; esac'


def test_prometheus_is_fetched_and_root_brings_the_lists_first(tree: Path) -> None:
    with_apt(tree, NEEDS_LISTS, user=0)
    outcome = run(tree, "prometheus.sh")
    assert (outcome.stdout, outcome.stderr) == (f"{tree}/.cache/prometheus/usr/bin\n", "")
    assert os.listdir(tree / ".cache") == ["prometheus"]


def test_without_lists_and_without_root_it_says_what_to_run(tree: Path) -> None:
    with_apt(tree, NEEDS_LISTS, user=1000)
    assert_refused(run(tree, "prometheus.sh"), "E: no lists", "sudo apt-get update")
    assert os.listdir(tree / ".cache") == []


def test_a_failing_download_shows_apts_words(tree: Path) -> None:
    with_apt(tree, 'echo "E: cannot resolve"; exit 100', user=0)
    assert_refused(run(tree, "prometheus.sh"), "E: cannot resolve", "make test PROMETHEUS=")


def test_make_alone_says_what_it_can_do() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    outcome = subprocess.run(["make"], cwd=ROOT, env=outside, capture_output=True, text=True, timeout=240, check=True)
    assert [line.split()[1] for line in outcome.stdout.splitlines()][:3] == ["help", "demo", "test"]
