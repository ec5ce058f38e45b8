"""Test the phases and deadlines of a job on the status page."""

from __future__ import annotations

from exporter.training.deadline import deadline
from exporter.training.job import TrainingJob, Transition
from exporter.web.page.phases import phases


def test_a_running_job_shows_its_open_phase_and_the_first_of_its_limits() -> None:
    job = TrainingJob(
        account="1",
        region="r",
        name="j",
        status="InProgress",
        created=1000.0,
        started=1100.0,
        max_runtime_seconds=3600.0,
        max_wait_seconds=3650.0,
        transitions=(Transition("Starting", 1000.0, 1100.0), Transition("Training", 1100.0, None)),
    )
    assert phases(job, 1160.0) == [("Starting", 100.0), ("Training", 60.0)]
    assert deadline(job) == 4650.0


def _spot(*transitions: Transition) -> TrainingJob:
    return TrainingJob(
        account="1",
        region="r",
        name="j",
        status="InProgress",
        secondary_status=transitions[-1].status,
        created=1000.0,
        started=1100.0,
        max_runtime_seconds=3600.0,
        transitions=transitions,
    )


_BEFORE = (
    Transition("Starting", 1000.0, 1100.0),
    Transition("Training", 1100.0, 1400.0),
    Transition("Interrupted", 1400.0, 2000.0),
    Transition("Starting", 2000.0, 2100.0),
)


def test_time_without_instances_is_not_run_time() -> None:
    job = _spot(*_BEFORE, Transition("Training", 2100.0, None))
    assert deadline(job) == 2200.0 + 3600.0 - 300.0 - 100.0


def test_a_job_that_waits_for_instances_again_has_no_deadline_yet() -> None:
    assert deadline(_spot(*_BEFORE[:2], Transition("Interrupted", 1400.0, None))) is None
