"""Run the scripts of hack/ in a checkout of its own, with no more programs than a test provides."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.prometheus import ROOT

TOOLS = ("cat", "cksum", "cut", "dirname", "env", "grep", "id", "mkdir", "mktemp", "mv", "rm", "sh")
NOTHING = "# nothing\n"


def checkout(folder: Path) -> Path:
    """Create a checkout with hack/ and one lock, and a bin/ with all available programs; return its folder."""
    shutil.copytree(ROOT / "hack", folder / "hack")
    (folder / "requirements.lock").write_text(NOTHING)
    (folder / "bin").mkdir()
    for tool in TOOLS:
        (folder / "bin" / tool).symlink_to(shutil.which(tool) or "")
    return folder


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
