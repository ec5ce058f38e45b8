"""Test the pictures of the dashboards: they exist, are small, and their renderer supports every kind of panel."""

from __future__ import annotations

import re
import struct

import pytest

from hack.panels import pictures
from tests.deploy.boards import BOARDS, panels
from tests.prometheus import ROOT

NAMES = [*(f"dashboard-{board}" for board in pictures.BOARDS), "status-page"]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_a_png_of_a_whole_screen_and_not_heavy(name: str) -> None:
    data = (ROOT / f"docs/images/{name}.png").read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert (width, height > 800) == (1600, True)
    assert len(data) < 300_000


def test_there_is_a_picture_of_every_dashboard() -> None:
    assert {f"sagemaker-{board}" for board in pictures.BOARDS} == BOARDS.keys()


def test_every_kind_of_panel_is_drawn() -> None:
    (kinds,) = re.findall(r"const KINDS = \{(.*)\}", (ROOT / "hack/panels/visuals.jsx").read_text())
    used = {panel["type"] for board in BOARDS.values() for panel in panels(board)}
    assert used == set(re.findall(r"'?([a-z-]+)'?: ", kinds))
