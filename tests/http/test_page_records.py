"""What the application gives the status page to show."""

from __future__ import annotations

from pathlib import Path

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.polling.tracker import Fleet, Pace
from exporter.training.job import TrainingJob
from exporter.web.status import job_row, status


async def test_where_the_totals_are_kept_is_told_without_the_path(tmp_path: Path) -> None:
    clock = SystemClock()
    async with App.open(Config(), clock) as app:
        assert status(app, clock.time()).state is None
    path = tmp_path / "secret-place.db"
    async with App.open(Config.model_validate({"state": {"path": str(path)}}), clock) as app:
        state = status(app, clock.time()).state
    assert state is not None
    assert (state.where, state.errors) == ("file", 0)


def test_a_failed_job_shows_the_category_and_never_the_reason() -> None:
    fleet = Fleet(Pace(30, 120, 3600))
    fleet.follow(
        TrainingJob(
            account="1", region="r", name="j", status="Failed", failure_category="ClientError", failure_reason="s3://x"
        ),
        0,
    )
    followed = fleet.get("j")
    assert followed is not None
    row = job_row(followed, 0)
    assert row.failure == "ClientError"
    assert "s3:" not in repr(row)
