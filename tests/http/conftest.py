"""Provide an authority for each test, and configuration files beside its certificates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.web.config import WebConfigFile
from tests.http.certificates import LOOPBACK, Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.new(tmp_path)
    authority.sign("server", *LOOPBACK)
    return authority


@pytest.fixture
def configured(tmp_path: Path, authority: Authority) -> Callable[[str], WebConfigFile]:
    """Write a configuration file with this text into the directory of the authority's certificates."""

    def write(text: str) -> WebConfigFile:
        (tmp_path / "web.yml").write_text(text)
        return WebConfigFile(str(tmp_path / "web.yml"))

    return write
