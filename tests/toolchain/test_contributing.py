"""Test that the commands and paths in CONTRIBUTING.md exist."""

from __future__ import annotations

import re

from tests.prometheus import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_command_is_a_target_of_the_makefile() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", TEXT))
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert {"demo", "test", "unit", "check", "lock", "soak"} <= named
    assert named - targets == set()


def test_every_place_is_there() -> None:
    places = set(re.findall(r"`((?:exporter|tests|docs|deploy|requirements|config)[\w./-]*|Dockerfile)`", TEXT))
    assert len(places) > 15
    assert {place for place in places if not (ROOT / place).exists()} == set()
