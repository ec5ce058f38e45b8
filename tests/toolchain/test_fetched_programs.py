"""Test that Prometheus and PostgreSQL are found or downloaded, or that the scripts say what is missing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.toolchain.checkout import assert_refused, program, run


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a script of hack/ fetches: a package, the programs, their folder in it, the variable for another one."""

    package: str
    programs: tuple[str, ...]
    folder: str
    variable: str

    @property
    def script(self) -> str:
        return f"{self.variable.lower()}.sh"

    def put_in(self, folder: Path) -> Path:
        """Create the programs in a folder, and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.programs:
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
        return folder

    def cached(self, tree: Path) -> Path:
        return tree / ".cache" / self.package / self.folder

    def with_apt(self, tree: Path, apt: str, user: int) -> None:
        """Install stand-ins for apt-get, which checks whether lists/ exists, and for dpkg -x."""
        program(tree, "apt-get", f"cd {tree}; {apt}")
        unpacked = self.put_in(tree / "unpacked" / self.folder)
        copy = f"{shutil.which('mkdir')} -p $3/{self.folder}; {shutil.which('cp')} {unpacked}/* $3/{self.folder}"
        program(tree, "dpkg", copy)
        program(tree, "id", f"echo {user}")


# Nothing may be installed.
_NEEDS_LISTS = """
case "$*" in
*update) mkdir lists ;;
*download*) [ -d lists ] || { echo "E: no lists"; exit 100; } ;;
*) exit 101 ;;
esac
"""
_FETCHED = [
    Fetched("prometheus", ("prometheus", "promtool"), "usr/bin", "PROMETHEUS"),
    Fetched(
        "postgresql",
        ("initdb", "pg_ctl", "postgres", "pg_basebackup"),
        "usr/lib/postgresql/15/bin",
        "POSTGRES",
    ),
]


@pytest.fixture(params=_FETCHED, ids=lambda fetched: fetched.package)
def fetched(request: pytest.FixtureRequest) -> Fetched:
    found: Fetched = request.param
    return found


def test_the_programs_are_taken_from_where_they_are(tree: Path, fetched: Fetched) -> None:
    named = fetched.put_in(tree / "named")
    assert run(tree, fetched.script, **{fetched.variable: str(named)}).stdout == f"{named}\n"
    cached = fetched.put_in(fetched.cached(tree))
    assert run(tree, fetched.script).stdout == f"{cached}\n"
    shutil.rmtree(tree / ".cache")
    fetched.put_in(tree / "bin")
    assert run(tree, fetched.script).stdout == f"{tree}/bin\n"


def test_postgresql_is_found_where_debian_installs_it(tree: Path) -> None:
    fetched = _FETCHED[1]
    installed = fetched.put_in(tree / "installed" / fetched.folder)
    program(tree, "ls", f'[ "$2" = "/usr/lib/postgresql/*/bin" ] || [ -d "$2" ] && echo {tree}/client {installed}')
    assert run(tree, fetched.script).stdout == f"{installed}\n"


def test_programs_that_do_not_run_are_not_used(tree: Path) -> None:
    named = _FETCHED[1].put_in(tree / "named")
    (named / "postgres").write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2; exit 127\n")
    outcome = run(tree, "postgres.sh", POSTGRES=str(named))
    assert_refused(outcome, f"POSTGRES={named}", "error while loading shared libraries", "it does not run")


def test_a_wrong_folder_is_said(tree: Path, fetched: Fetched) -> None:
    variable = fetched.variable
    outcome = run(tree, fetched.script, **{variable: "/nowhere"})
    assert_refused(outcome, f"{variable}=/nowhere", f"make test {variable}=")


def test_where_there_is_no_apt_it_says_how_to_bring_them(tree: Path, fetched: Fetched) -> None:
    assert_refused(run(tree, fetched.script), "only on Debian and Ubuntu", f"make test {fetched.variable}=")


def test_they_are_fetched_and_root_brings_the_lists_first(tree: Path, fetched: Fetched) -> None:
    fetched.with_apt(tree, _NEEDS_LISTS, user=0)
    outcome = run(tree, fetched.script)
    assert (outcome.stdout, outcome.stderr) == (f"{fetched.cached(tree)}\n", "")
    assert os.listdir(tree / ".cache") == [fetched.package]


def test_without_lists_and_without_root_it_says_what_to_run(tree: Path, fetched: Fetched) -> None:
    fetched.with_apt(tree, _NEEDS_LISTS, user=1000)
    assert_refused(run(tree, fetched.script), "E: no lists", "sudo apt-get update")
    assert os.listdir(tree / ".cache") == []


def test_a_failing_download_shows_apts_words(tree: Path, fetched: Fetched) -> None:
    fetched.with_apt(tree, 'echo "E: cannot resolve"; exit 100', user=0)
    assert_refused(run(tree, fetched.script), "E: cannot resolve", f"make test {fetched.variable}=")
