"""What the status page says of a job: phases so far, and when its limits end it."""

from __future__ import annotations

from exporter.polling.tracker import Fleet, Pace
from exporter.training.job import Instances, TrainingJob, Transition
from exporter.web.page import JobRow
from exporter.web.status import job_row


def _row(job: TrainingJob, now: float) -> JobRow:
    fleet = Fleet(Pace(30, 120, 3600))
    fleet.follow(job, 0)
    followed = fleet.get(job.name)
    assert followed is not None
    return job_row(followed, now)


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
        instances=(Instances("ml.m5.large", "", 2),),
        transitions=(Transition("Starting", 1000.0, 1100.0), Transition("Training", 1100.0, None)),
    )
    row = _row(job, 1160.0)
    assert row.phases == (("Starting", 100.0), ("Training", 60.0))
    assert row.deadline == 4650.0
    assert row.instances == "2 ml.m5.large"


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
    row = _row(_spot(*_BEFORE, Transition("Training", 2100.0, None)), 2200.0)
    assert row.deadline == 2200.0 + 3600.0 - 300.0 - 100.0


def test_a_job_that_waits_for_instances_again_has_no_deadline_yet() -> None:
    assert _row(_spot(*_BEFORE[:2], Transition("Interrupted", 1400.0, None)), 1500.0).deadline is None
