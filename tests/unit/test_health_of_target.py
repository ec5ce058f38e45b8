"""Test a target's health, and what is logged about it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from exporter.polling.api import DESCRIBE, LIST, ApiError, Calls
from exporter.polling.health import Health
from exporter.training.job import TrainingJob, Transition, WarmPool

THROTTLED, DENIED = ApiError(LIST, "ThrottlingException"), ApiError(LIST, "AccessDeniedException")
JOB = TrainingJob(account="1", region="r", name="job", status="InProgress", secondary_status="Training")


def health(calls: Calls | None = None) -> Health:
    times = iter(range(100, 1000))
    return Health("1/r", calls or Calls(), lambda: float(next(times)))


def test_nothing_is_known_before_anything_was_tried() -> None:
    found = health().snapshot(0)
    assert (found.up, found.last_success, found.poll_seconds) == (None, None, None)


def test_a_target_is_up_when_none_of_its_activities_fails() -> None:
    one = health()
    one.succeeded("reading")
    assert (one.up, one.last_success) == (True, 100.0)
    one.failed("discovery", THROTTLED)
    one.succeeded("reading")
    assert (one.up, one.last_success) == (False, 100.0)
    one.succeeded("discovery")
    assert one.up is True
    assert one.last_success == one.last_attempt


def test_an_activity_with_nothing_left_to_do_no_longer_fails() -> None:
    one = health()
    one.failed("reading", THROTTLED)
    one.settled("reading")
    assert one.up is True
    assert one.last_success is None


def test_a_failure_is_logged_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    one = health()
    for error in (THROTTLED, THROTTLED, DENIED, DENIED):
        one.failed("discovery", error)
    one.succeeded("discovery")
    one.succeeded("discovery")
    discovery = {"target": "1/r", "activity": "discovery"}
    assert [(record.getMessage(), vars(record)["fields"]) for record in caplog.records] == [
        ("polling fails", discovery | THROTTLED.fields),
        ("polling fails", discovery | DENIED.fields),
        ("polling recovered", discovery),
    ]
    assert THROTTLED.fields["code"] == THROTTLED.code


def test_the_last_error_of_each_kind_is_remembered() -> None:
    one = health()
    one.noticed(ApiError(DESCRIBE, "Timeout"))
    one.noticed(ApiError(DESCRIBE, "Timeout"))
    assert one.up is None
    last = one.last_errors[DESCRIBE, "Timeout"]
    assert last.when == 101.0
    assert "polling.timeout" in last.message


def test_unknown_statuses_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    one, nothing = health(), replace(JOB, status=None, secondary_status=None)
    odd = replace(
        JOB,
        status="Odd",
        secondary_status="Odder",
        transitions=(Transition("Oddest", 1.0, None), Transition("Training", 1.0, None)),
        warm_pool=WarmPool("Tepid", None, None),
    )
    one.look_at(JOB, nothing)
    assert one.snapshot(1).unknown == {}
    one.look_at(odd, JOB)
    one.look_at(odd, odd)
    one.look_at(odd, JOB)
    assert one.snapshot(1).unknown == dict.fromkeys(["Odd", "Odder", "Oddest", "Tepid"], 2)
    assert len(caplog.records) == 4


def test_a_snapshot_has_the_calls_and_does_not_follow_them() -> None:
    calls = Calls()
    calls.sent(LIST)
    calls.failed(LIST, "Timeout")
    found = health(calls).snapshot(7)
    calls.sent(LIST)
    assert (found.jobs, found.requests, found.errors) == (7, {LIST: 1}, {(LIST, "Timeout"): 1})
