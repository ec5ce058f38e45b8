"""Test that of status messages only what the allowlist permits is kept."""

from __future__ import annotations

import pytest

from exporter.training.parsing import Allowlist, parse

ANSWER = {
    "TrainingJobName": "j",
    "TrainingJobStatus": "InProgress",
    "SecondaryStatus": "Training",
    "SecondaryStatusTransitions": [
        {"Status": "Starting", "StartTime": 1.0, "EndTime": 2.0, "StatusMessage": "Launching requested ML instances"},
        {"Status": "Training", "StartTime": 2.0},
    ],
}


@pytest.mark.parametrize(("length", "kept"), [(0, ""), (9, "Launching"), (1024, "Launching requested ML instances")])
def test_as_much_of_a_message_is_kept_as_of_a_failure_reason(length: int, kept: str) -> None:
    job = parse(ANSWER, "1", "r", Allowlist(failure_reason_length=length))
    assert job is not None
    assert [transition.message for transition in job.transitions] == [kept, ""]
