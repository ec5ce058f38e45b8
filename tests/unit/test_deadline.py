"""Test when a limit ends a job: only its description determines that, and no clock."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator import describe
from exporter.simulator.casting import Casting
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES
from exporter.training.deadline import deadline, deadlines
from exporter.training.job import Instances, TrainingJob, Transition
from exporter.training.parsing import Allowlist, parse
from tests.prometheus import ROOT

CREATED = 1000.0
PENDING = (Transition("Starting", 1000.0, 1002.0), Transition("Pending", 1002.0, None))
FIRST_RUN = (Transition("Starting", 1000.0, 1100.0), Transition("Downloading", 1100.0, 1150.0))
TRAINING = (*FIRST_RUN, Transition("Training", 1150.0, None))
# Trained for 300 s, then waited 700 s.
INTERRUPTED = (*FIRST_RUN, Transition("Training", 1150.0, 1400.0), Transition("Interrupted", 1400.0, None))
WAITING_AGAIN = (*INTERRUPTED[:-1], Transition("Interrupted", 1400.0, 2000.0), Transition("Starting", 2000.0, None))
TRAINING_AGAIN = (*WAITING_AGAIN[:-1], Transition("Starting", 2000.0, 2100.0), Transition("Training", 2100.0, None))


def job(transitions: tuple[Transition, ...] = TRAINING, **fields: Any) -> TrainingJob:
    """Return a job with all three limits, in the last of its transitions."""
    usual = {
        "status": "InProgress",
        "secondary_status": transitions[-1].status if transitions else None,
        "created": CREATED,
        "started": next((t.start for t in transitions if t.status == "Downloading"), None),
        "instances": (Instances("ml.g5.xlarge", "", 2),),
        "max_runtime_seconds": 3600.0,
        "max_wait_seconds": 9000.0,
        "max_pending_seconds": 7200.0,
    }
    return TrainingJob(account="1", region="r", name="j", transitions=transitions, **{**usual, **fields})


@pytest.mark.parametrize(
    ("transitions", "found"),
    [
        (PENDING, {"max_wait": 10_000.0, "max_pending": 8202.0}),
        (PENDING[:1], {"max_wait": 10_000.0}),
        (FIRST_RUN, {"max_runtime": 4700.0, "max_wait": 10_000.0}),
        (TRAINING, {"max_runtime": 4700.0, "max_wait": 10_000.0}),
        # The clock of MaxRuntime stands still without instances.
        (INTERRUPTED, {"max_wait": 10_000.0}),
        (WAITING_AGAIN, {"max_wait": 10_000.0}),
        (TRAINING_AGAIN, {"max_runtime": 2100.0 + 3600.0 - 300.0, "max_wait": 10_000.0}),
        # What was Pending before counts too.
        ((*PENDING[:1], Transition("Pending", 1002.0, 1300.0), Transition("Starting", 1300.0, 1400.0),
          Transition("Pending", 1400.0, None)), {"max_wait": 10_000.0, "max_pending": 8302.0}),
        # How long it had been Pending, or on instances, is unknown.
        ((Transition("Pending", None, 1300.0), Transition("Starting", 1300.0, 1400.0),
          Transition("Pending", 1400.0, None)), {"max_wait": 10_000.0}),
        ((Transition("Downloading", 1100.0, None), *TRAINING_AGAIN[2:]), {"max_wait": 10_000.0}),
    ],
)  # fmt: skip
def test_only_a_limit_that_runs_has_a_deadline(transitions: tuple[Transition, ...], found: dict[str, float]) -> None:
    assert deadlines(job(transitions)) == found
    assert deadline(job(transitions)) == min(found.values())


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "Stopping", "secondary_status": "Stopping"},
        {"status": "Completed", "secondary_status": "Completed"},
        {"status": "Failed", "secondary_status": "Failed"},
        {"status": "Stopped", "secondary_status": "MaxRuntimeExceeded"},
        {"status": "Deleting"},
        # No stopping condition, or nothing but a summary.
        {"max_runtime_seconds": None, "max_wait_seconds": None, "max_pending_seconds": None},
    ],
)
def test_a_job_that_no_limit_ends_has_no_deadline(fields: dict[str, Any]) -> None:
    assert deadlines(job(**fields)) == {}
    assert deadline(job(**fields)) is None


def test_pending_counts_where_it_can_be_known_to() -> None:
    assert "max_pending" not in deadlines(job(PENDING, training_plan="plan"))
    assert "max_pending" not in deadlines(job(PENDING, instances=(Instances("ml.m5.large", "", 1),)))
    for kind in ("ml.trn1.2xlarge", "ml.p5.48xlarge", "ml.g5.xlarge"):
        assert "max_pending" in deadlines(job(PENDING, instances=(Instances(kind, "", 1),))), kind
    mixed = (Instances("ml.c5n.18xlarge", "cpu", 1), Instances("ml.p4d.24xlarge", "gpu", 1))
    assert "max_pending" in deadlines(job(PENDING, instances=mixed))
    # With preferences the types are not known before one is chosen.
    assert "max_pending" in deadlines(job(PENDING, instances=()))


def test_without_transitions_the_times_of_the_job_say_it() -> None:
    assert deadlines(job((), started=1100.0, secondary_status="Training"))["max_runtime"] == 4700.0
    assert deadlines(job((), secondary_status="Pending"))["max_pending"] == 8200.0


def test_a_status_whose_transition_is_not_there_yet_follows_the_last_one() -> None:
    assert deadlines(job(FIRST_RUN, secondary_status="Training"))["max_runtime"] == 4700.0


def test_a_status_since_nobody_knows_when_has_no_deadline() -> None:
    odd = (*FIRST_RUN, Transition("Training", None, None))
    assert "max_runtime" not in deadlines(job(odd))
    late = replace(job(WAITING_AGAIN), secondary_status="Training")
    assert "max_runtime" not in deadlines(late)


def test_a_deadline_may_have_passed() -> None:
    """In issue 4451 of the SageMaker Python SDK, a limit of 603 s ended the job after 841 s."""
    one = json.loads((ROOT / "tests/cases/max-runtime-4451.json").read_text())
    transitions = one["SecondaryStatusTransitions"][:3]
    ended = ("TrainingEndTime", "TrainingTimeInSeconds", "BillableTimeInSeconds")
    running = {key: value for key, value in one.items() if key not in ended}
    del transitions[-1]["EndTime"]
    running |= {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}
    parsed = parse({**running, "SecondaryStatusTransitions": transitions}, "1", "r", Allowlist())
    assert parsed is not None
    assert deadlines(parsed) == {"max_runtime": one["TrainingStartTime"] + 603}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_deadline_moves_before_the_job_changes(shape: str) -> None:
    (life, *_) = SHAPES[shape](Casting(seeded(shape), CREATED, "123456789012", "eu-west-1"))
    for span in life.timeline:
        seen = [
            parse(describe(life, at), life.account, life.region, Allowlist())
            for at in (span.start, (span.start + span.end) / 2, span.end - 0.002)
        ]
        found = [deadlines(one) for one in seen if one is not None]
        assert found[0] == found[1] == found[2], span.phase.status
