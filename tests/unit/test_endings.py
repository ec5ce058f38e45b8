"""Test how and when a job ended, and what stopped it, as far as its description shows it."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.training.facts import Facts
from exporter.training.job import TrainingJob, Transition
from exporter.training.parsing import Allowlist, parse
from exporter.training.stops import STOP_CAUSES, stop_cause

STARTING, WAITING = Transition("Starting", 1.0, 5.0), Transition("Pending", 5.0, 105.0)
STOPPING = Transition("Stopping", 105.0, 107.0)


def job(status: str, *transitions: Transition, secondary: str | None = None, **fields: Any) -> TrainingJob:
    return TrainingJob(
        account="1",
        region="r",
        name="job",
        status=status,
        secondary_status=secondary,
        created=1.0,
        transitions=transitions,
        **fields,
    )


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "Deleting"])
@pytest.mark.parametrize(
    ("last", "ended"),
    [
        # The last one is closed, still open, or was never written down.
        ([STOPPING, Transition("OutOfPatience", 107.0, 107.5)], 107.5),
        ([STOPPING, Transition("OutOfPatience", 107.0, None)], 107.0),
        ([STOPPING], 107.0),
        ([Transition("OutOfPatience", 107.0, None)], 105.0),
    ],
)
def test_a_job_whose_last_status_nobody_knows_ended_with_its_last_closed_transition(
    status: str, last: list[Transition], ended: float
) -> None:
    one = job(status, STARTING, WAITING, *last, secondary="OutOfPatience")
    assert one.ended_at == ended
    assert one.over_since == ended


def test_nothing_is_made_up_where_no_transition_has_an_end() -> None:
    assert job("Stopped", Transition("OutOfPatience", 7.0, None), secondary="OutOfPatience").ended_at is None
    assert job("Stopped", secondary="OutOfPatience").ended_at is None
    assert job("InProgress", STARTING, secondary="OutOfPatience").ended_at is None
    assert job("Stopped", STARTING, secondary="OutOfPatience", ended=9.0).ended_at == 9.0


def test_a_job_that_is_deleted_after_an_unknown_status_has_its_outcome() -> None:
    one = job("Deleting", STARTING, STOPPING, Transition("OutOfPatience", 107.0, None), secondary="OutOfPatience")
    assert (one.outcome, Facts.of(one).duration) == ("Stopped", 106.0)
    assert job("Deleting", STARTING, secondary="Exploded").outcome is None


def answer(**fields: Any) -> TrainingJob:
    found = parse({"TrainingJobName": "job", "TrainingJobStatus": "Deleting", **fields}, "1", "r", Allowlist())
    assert found is not None
    return found


def test_a_job_that_is_deleted_failed_if_it_has_a_reason() -> None:
    reason = "ClientError: Artifact upload failed:Insufficient disk space"
    for fields in (
        {"SecondaryStatus": "Exploded"},
        {"SecondaryStatus": "Deleting", "SecondaryStatusTransitions": [{"Status": "Failed"}, {"Status": "Deleting"}]},
    ):
        found = answer(FailureReason=reason, **fields)
        assert (found.outcome, found.failure_category, found.failure_detail) == (
            "Failed",
            "ClientError",
            "memory_or_disk",
        )
    completed = answer(SecondaryStatus="Completed", FailureReason=reason)
    assert (completed.outcome, completed.failure_category) == ("Completed", None)


@pytest.mark.parametrize(
    ("one", "cause"),
    [
        (job("Stopped", STOPPING, secondary="Stopped"), "user"),
        (job("Stopped", Transition("MaxRuntimeExceeded", 1.0, 1.0)), "max_runtime"),
        (job("Stopped", secondary="MaxWaitTimeExceeded"), "max_wait"),
        (job("Stopped", secondary="MaxPendingTimeExceeded"), "max_pending"),
        (job("Stopped", WAITING, STOPPING, secondary="Stopped", max_pending_seconds=100.0), "max_pending"),
        (job("Stopped", WAITING, STOPPING, secondary="OutOfPatience", max_pending_seconds=100.0), "max_pending"),
        # A user stopped it before the limit, long after it (a plan's wait does not count), or after the start.
        (job("Stopped", WAITING, STOPPING, secondary="Stopped", max_pending_seconds=200.0), "user"),
        (job("Stopped", WAITING, STOPPING, secondary="Stopped", max_pending_seconds=10.0), "user"),
        (job("Stopped", WAITING, secondary="Stopped", max_pending_seconds=100.0, started=105.0), "user"),
        (job("Stopped", STARTING, STOPPING, secondary="Stopped", max_pending_seconds=0.0), "user"),
        # How long another wait took is unknown.
        (
            job(
                "Stopped",
                Transition("Pending", None, 1.0),
                WAITING,
                STOPPING,
                secondary="Stopped",
                max_pending_seconds=100.0,
            ),
            "user",
        ),
        (job("Deleting", Transition("MaxRuntimeExceeded", 1.0, 1.0), secondary="Deleting"), "max_runtime"),
        (job("Stopped", STOPPING, secondary="OutOfPatience"), None),
        (job("Stopped"), None),
        (job("Failed", STOPPING, secondary="Failed"), None),
        (job("Stopping", STOPPING, secondary="Stopping"), None),
    ],
)
def test_what_stopped_a_job(one: TrainingJob, cause: str | None) -> None:
    assert stop_cause(one) == cause
    assert cause is None or cause in STOP_CAUSES
    assert Facts.of(one).stop_cause == (cause or ("other" if one.outcome == "Stopped" else None))
