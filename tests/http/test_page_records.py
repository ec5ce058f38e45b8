"""Test the data that the application passes to the status page."""

from __future__ import annotations

from pathlib import Path

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.training.job import TrainingJob
from exporter.web import page
from exporter.web.status import status


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
    """Nor does it show anything else that an allowlist permits for labels."""
    failed = TrainingJob(
        account="1",
        region="r",
        name="j",
        arn="arn:SECRET",
        status="Failed",
        failure_category="ClientError",
        failure_reason="SECRET",
        training_image="SECRET",
        hyperparameters=(("k", "SECRET"),),
        tags=(("k", "SECRET"),),
        cost_tags=(("k", "SECRET"),),
    )
    text = page.render(page.Status("1", 0.0, 0.0, True, (), (page.ShownJob(failed),)), {})
    assert "ClientError" in text
    assert "SECRET" not in text
