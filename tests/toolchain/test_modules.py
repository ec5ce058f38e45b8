"""Test that modules stay small, and that few lie beside the folders."""

from __future__ import annotations

from tests.prometheus import ROOT

FOLDERS = ("benchmarks", "deploy", "exporter", "hack", "tests")
LONGEST, MOST = 300, 10


def test_no_module_is_long() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 500
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_few_modules_lie_beside_the_folders() -> None:
    assert 0 < len(list((ROOT / "exporter").glob("*.py"))) <= MOST
