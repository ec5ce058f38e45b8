"""Run the program from a shell, with the redirections and locales that a shell can set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

from tests.prometheus import ROOT

# As a minimal image has it: neither UTF-8 mode nor the coercion of the C locale helps.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
_NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


class Told(NamedTuple):
    """Hold how a command ended, and its output."""

    status: int
    out: str
    err: str


def run(
    *arguments: str, module: str = "exporter", redirect: str = "", environ: Mapping[str, str] | None = None
) -> Told:
    """Run a module. `redirect` is appended to the command line of the shell."""
    command = f'"$@" {redirect}' if redirect else '"$@"'
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}", "bash", sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **_NOWHERE, **(environ or {})},
        capture_output=True,
        timeout=240,
        check=False,
    )
    return Told(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
