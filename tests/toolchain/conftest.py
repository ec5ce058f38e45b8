"""Provide a checkout in which the scripts of hack/ run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolchain.checkout import checkout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a checkout with hack/ and one lock, and a bin/ with all available programs."""
    return checkout(tmp_path)
