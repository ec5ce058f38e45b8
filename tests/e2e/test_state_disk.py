"""Test that a full, read-only or forbidden disk is reported as such, and never as a damaged state file."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.ledger.opening import open_ledger
from tests.ledger.books import job, readings
from tests.prometheus import ROOT

# A mount namespace can have its own disk. Without root, this needs a user namespace.
_ALONE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]
_FILL = "dd if=/dev/zero of={disk}/filler bs=1k 2>/dev/null || true"
_READ_ONLY = "mount -o remount,ro {disk}"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a killed exporter left on the disk."""
    folder, grave = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("killed") / "grave"

    async def live() -> None:
        async with open_ledger(str(folder / "state.db"), lambda: 1.0) as books:
            await books.apply(readings(*(job(f"job-{number}") for number in range(30))))
            shutil.copytree(folder, grave)

    asyncio.run(live())
    return grave


def told(tmp_path: Path, left: Path, *trouble: str) -> str:
    """Return the output of `once` on a disk of 300 KiB after a failure, and check that the state file is unchanged."""
    disk, config = tmp_path / "disk", tmp_path / "config.yaml"
    disk.mkdir()
    config.write_text(f"state: {{path: {disk}/state.db}}\n")
    script = "\n".join(
        (
            "set -e",
            f"mount -t tmpfs -o size=300k none {disk}",
            f"cp {left}/* {disk}",
            *(line.format(disk=disk) for line in trouble),
            f"sum {disk}/state* > {tmp_path}/before 2>/dev/null || true",
            f"'{sys.executable}' -m exporter once --config.file {config} || echo status $? >&2",
            f"sum {disk}/state* > {tmp_path}/after 2>/dev/null || true",
            f"cmp {tmp_path}/before {tmp_path}/after >&2",
        )
    )
    done = subprocess.run(
        [*_ALONE, "bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if "caller=exporter.polling" not in line]
    assert lines[-1] == "status 1", done.stderr
    (said,) = lines[:-1]
    assert said.startswith(f"{disk}/state.db: cannot be ")
    assert said.endswith("; keep the file")
    return said


def test_a_full_disk(tmp_path: Path, left: Path) -> None:
    assert "make room on the disk" in told(tmp_path, left, _FILL)


def test_a_full_disk_for_a_new_file(tmp_path: Path, left: Path) -> None:
    said = told(tmp_path, left, "rm {disk}/state*", "touch {disk}/state.db", _FILL)
    assert "database or disk is full; make room on the disk" in said


@pytest.mark.parametrize("gone", ["", "-wal", "*"], ids=["log", "no log", "no file"])
def test_a_read_only_file_system(gone: str, tmp_path: Path, left: Path) -> None:
    remove = f"rm {{disk}}/state.db{gone}" if gone else "true"
    assert "make the file system writable" in told(tmp_path, left, remove, _READ_ONLY)
