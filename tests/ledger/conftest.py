"""Provide the places of state files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def disk() -> Iterator[Path]:
    """Use real statements and files, but a file system in memory if there is one, to avoid waiting for a disk."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a state file in a folder of its own, which a test may move, copy or delete."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "state.db"
