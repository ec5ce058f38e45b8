"""Test what a command imports: each module takes time and memory, also of those who do not need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.prometheus import ROOT

_MODULES = "import sys; from exporter import cli; cli.main({}); print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["metrics"], {"aiobotocore", "aiohttp", "exporter.simulator", "exporter.web", "psycopg"}),
        (["check-config", "config.example.yaml"], {"aiobotocore", "exporter.app", "exporter.simulator", "psycopg"}),
        (["once", "--config.file", "gone.yaml"], {"exporter.doctor", "exporter.simulator", "exporter.web", "psycopg"}),
        (["--config.file", "gone.yaml"], {"exporter.doctor", "exporter.simulator", "psycopg"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(arguments: list[str], absent: set[str]) -> None:
    command = [sys.executable, "-c", _MODULES.format(arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    imported = set(done.stderr.splitlines()[-1].split())
    assert "exporter.cli" in imported
    assert imported & absent == set()
