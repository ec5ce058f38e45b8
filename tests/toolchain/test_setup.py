"""Test what make checks first: environments exist, or it reports what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prometheus import ROOT
from tests.toolchain.checkout import NOTHING, assert_refused, program, run


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


@pytest.mark.long
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


@pytest.mark.long
def test_a_broken_environment_is_made_anew(tree: Path) -> None:
    real_python(tree)
    (tree / ".venv/bin").mkdir(parents=True)
    (tree / ".venv/bin/python").symlink_to("/nowhere/python")
    outcome = run(tree, "venv.sh", "requirements.lock")
    assert outcome.returncode == 0, outcome.stderr
    assert os.access(tree / ".venv/bin/python", os.X_OK)


@pytest.mark.long
def test_a_failing_installation_is_explained_and_tried_again(tree: Path) -> None:
    real_python(tree)
    (tree / "requirements.lock").write_text(f"nowhere-to-be-had==1 --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        outcome = run(tree, "venv.sh", "requirements.lock", PIP_FIND_LINKS=str(tree))
        assert_refused(outcome, "No matching distribution", "could not be installed", "PyPI")


def test_make_alone_says_what_it_can_do() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    outcome = subprocess.run(["make"], cwd=ROOT, env=outside, capture_output=True, text=True, timeout=240, check=True)
    assert [line.split()[1] for line in outcome.stdout.splitlines()][:3] == ["help", "demo", "test"]
