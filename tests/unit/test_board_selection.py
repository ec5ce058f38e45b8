"""Test that the name of a job decides, once, whether the job has its own series."""

from __future__ import annotations

from dataclasses import replace

from exporter.ledger.opening import open_ledger
from tests.displays import Showing
from tests.unit.test_board_pieces import job


def test_each_name_is_matched_once_while_its_job_is_followed() -> None:
    asked: list[str] = []

    def selects(name: str) -> bool:
        asked.append(name)
        return name.endswith("1")

    board = Showing(open_ledger("", lambda: 0.0), selects=selects)
    for status in ("InProgress", "Stopping", "Stopped"):
        for number in (1, 2):
            board.job(replace(job(number), status=status))
    assert asked == ["job-00001", "job-00002"]
    for number in (1, 2):
        board.gone(("1", "r"), job(number).name)
    board.job(job(2))
    assert asked[2:] == ["job-00002"]
