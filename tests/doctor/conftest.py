"""Restore logging after each test of the command."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _logging_as_it_was(logging_restored: None) -> None: ...
