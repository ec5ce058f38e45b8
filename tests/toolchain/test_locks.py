"""Test that the lock files match pyproject.toml and each other, and have hashes for everything."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.prometheus import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]
RUN = PROJECT["project"]["dependencies"]
ASKED = {
    "requirements.lock": RUN,
    "requirements-dev.lock": RUN + GROUPS["dev"] + GROUPS["deploy"],
    "requirements-tools.lock": GROUPS["tools"],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Return the version and number of hashes by package."""
    entries = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    found: dict[str, tuple[str, int]] = {}
    for entry in entries:
        if entry and not entry.lstrip().startswith("#"):
            requirement = Requirement(entry.split(" --hash")[0])
            (version,) = (each.version for each in requirement.specifier)
            found[canonicalize_name(requirement.name)] = (version, entry.count("--hash=sha256:"))
    return found


@pytest.mark.parametrize("lock", ASKED)
def test_a_lock_holds_what_is_asked_for(lock: str) -> None:
    locked = pins(lock)
    for asked in map(Requirement, ASKED[lock]):
        version, _ = locked[canonicalize_name(asked.name)]
        assert asked.specifier.contains(version), f"{lock}: {asked.name} {version}"


@pytest.mark.parametrize("lock", ASKED)
def test_every_pin_has_its_hashes(lock: str) -> None:
    locked = pins(lock)
    assert locked
    assert {name for name, (_, hashes) in locked.items() if hashes == 0} == set()


def test_what_users_run_is_what_is_tested() -> None:
    run, dev, build = pins("requirements.lock"), pins("requirements-dev.lock"), pins("requirements-build.lock")
    assert run.items() <= dev.items()
    assert {name for name in build.keys() & dev.keys() if build[name][0] != dev[name][0]} == set()


def test_no_lock_names_where_packages_come_from() -> None:
    for lock in ASKED:
        assert "://" not in (ROOT / lock).read_text()
