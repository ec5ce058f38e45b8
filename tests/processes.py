"""Define which tests may start processes, and fail all others that try."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# The tests in these folders run the whole program, or other programs.
_FOLDERS = frozenset({"benchmarks", "chaos", "deploy", "docs", "e2e", "toolchain"})
_FORBIDDEN = ((subprocess.Popen, "__init__"), (os, "fork"), (os, "posix_spawn"), (os, "posix_spawnp"), (os, "system"))


def in_folder_of_processes(path: Path) -> bool:
    """Return whether the path is a folder whose tests may start processes, or a file below one."""
    tests = Path(__file__).parent
    return path.is_relative_to(tests) and not _FOLDERS.isdisjoint(path.relative_to(tests).parts[:1])


@contextmanager
def no_processes() -> Iterator[None]:
    """Fail a test that starts a process, even if the code under test catches exceptions."""

    def refuse(*arguments: Any, **_: Any) -> None:
        pytest.fail(f"this test starts a process and is not marked with pytest.mark.process: {arguments[1:]}")

    with pytest.MonkeyPatch.context() as patch:
        for place, name in _FORBIDDEN:
            patch.setattr(place, name, refuse)
        yield
