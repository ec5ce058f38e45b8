"""Test the waiting reasons of real status messages, and that nothing of a message is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.training.job import SECONDARY_STATUSES, TERMINAL, TrainingJob
from exporter.training.parsing import Allowlist, parse
from exporter.training.waiting import WAITING_REASONS, waiting_reason
from tests.prometheus import ROOT

LINES = (ROOT / "tests/cases/status_messages.tsv").read_text().splitlines()
SEEN = [line.split("\t") for line in LINES if not line.startswith("#")]
UNKNOWN = "Talking to SECRET about instances"


def job(*steps: tuple[str, str | None], status: str = "InProgress", secondary: str | None = None) -> TrainingJob:
    """Return a job with these transitions, whose secondary status is that of the last one."""
    transitions: list[dict[str, Any]] = [
        {"Status": name, "StartTime": 1000.0 + at} | ({} if message is None else {"StatusMessage": message})
        for at, (name, message) in enumerate(steps)
    ]
    answer = {
        "TrainingJobName": "j",
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary or (steps[-1][0] if steps else "Starting"),
        "SecondaryStatusTransitions": transitions,
    }
    found = parse(answer, "1", "r", Allowlist())
    assert found is not None
    return found


@pytest.mark.parametrize(("reason", "secondary", "message"), SEEN, ids=[f"{s}: {m[:50]}" for _, s, m in SEEN])
def test_messages_that_were_seen(reason: str, secondary: str, message: str) -> None:
    assert job((secondary, message)).waiting == ("" if reason == "-" else reason)


def test_every_reason_is_seen_or_left_over() -> None:
    assert {reason for reason, *_ in SEEN} - {"-"} == set(WAITING_REASONS) - {"other"}


@pytest.mark.parametrize(
    ("secondary", "reason"),
    [
        ("Starting", "other"),
        ("Interrupted", "other"),
        # These statuses imply a reason, whatever the message says.
        ("Pending", "pending"),
        ("LaunchingMLInstances", "launching"),
        ("PreparingTrainingStack", "preparing"),
        ("DownloadingTrainingImage", "downloading_image"),
        ("Downloading", ""),
        ("Training", ""),
        ("Uploading", ""),
        # It is unknown whether a job is waiting in a future status.
        ("Restarting", ""),
        ("Polishing", ""),
    ],
)
def test_of_an_unknown_message_only_the_status_is_known(secondary: str, reason: str) -> None:
    assert job((secondary, UNKNOWN)).waiting == reason
    assert job((secondary, None)).waiting == reason


def test_a_status_of_tomorrow_waits_where_its_message_says_so() -> None:
    assert job(("Restarting", "Preparing the instances for training")).waiting == "preparing"


def test_the_message_of_an_earlier_status_says_nothing() -> None:
    starting = ("Starting", "Launched instance was unhealthy, replacing it!")
    assert job(starting, ("Training", "Training in progress.")).waiting == ""
    assert job(starting, ("Pending", "Preparing the instances for training")).waiting == "preparing"
    # The transition of the current status is not there yet.
    assert job(starting, secondary="Pending").waiting == ""


def test_a_summary_says_nothing() -> None:
    assert job(secondary="Pending").waiting == ""


@pytest.mark.parametrize("status", ["Stopping", *sorted(TERMINAL), "Suspended"])
def test_only_a_job_in_progress_waits(status: str) -> None:
    assert job(("Starting", "Preparing the instances for training"), status=status).waiting == ""


@given(st.sampled_from(SECONDARY_STATUSES) | st.text(), st.text())
def test_nothing_but_a_known_reason_comes_out(secondary: str, message: str) -> None:
    assert waiting_reason("InProgress", secondary, message) in {"", *WAITING_REASONS}


def test_the_message_is_not_kept() -> None:
    assert "SECRET" not in repr(job(("Starting", UNKNOWN)))


def test_a_real_job_waits_in_pending_first_for_capacity_and_then_for_its_instances() -> None:
    answer = json.loads((ROOT / "tests/cases/sdklog-p4d-two-2024.json").read_text())
    answer |= {"TrainingJobStatus": "InProgress"}
    found = []
    for number in range(1, 5):
        steps = answer["SecondaryStatusTransitions"][:number]
        now = {"SecondaryStatus": steps[-1]["Status"], "SecondaryStatusTransitions": steps}
        one = parse(answer | now, "1", "r", Allowlist())
        found.append(one.waiting if one else None)
    assert found == ["launching", "preparing", "downloading_image", ""]
