"""Test what a start of the program imports: each module takes time and memory, also of those who do not need it."""

from __future__ import annotations

import subprocess
import sys

from tests.prometheus import ROOT

_LOAD = "import sys, exporter.cli; print(*(name for name in sys.modules if name.startswith('exporter.simulator')))"


def test_only_the_demo_imports_the_simulator() -> None:
    command = [sys.executable, "-c", _LOAD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == []
