from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes config.yaml into the working directory and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        Path("config.yaml").write_text(text, encoding="utf-8")
        return "config.yaml"

    return write
