"""Test when a source is read again, and which of its failures are logged."""

from __future__ import annotations

import math

import pytest

from exporter.polling.attempts import Attempts

_DAY = 86400.0


def test_a_source_is_due_at_once_and_then_after_each_interval() -> None:
    attempts = Attempts()
    assert (attempts.ok, attempts.due(_DAY)) == (None, -math.inf)
    attempts.succeeded(100.0)
    assert (attempts.ok, attempts.due(_DAY)) == (True, 100.0 + _DAY)
    # A reload may change the interval.
    assert attempts.due(60.0) == 160.0


@pytest.mark.parametrize(
    ("interval", "pauses"),
    [
        (_DAY, [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]),
        (300.0, [60.0, 120.0, 240.0, 300.0, 300.0]),
        (10.0, [10.0, 10.0]),
    ],
)
def test_after_a_failure_it_is_due_sooner_but_less_and_less_often(interval: float, pauses: list[float]) -> None:
    attempts, found = Attempts(), list[float]()
    for _ in pauses:
        attempts.failed(1000.0)
        assert attempts.ok is False
        found.append(attempts.due(interval) - 1000.0)
    assert found == pauses
    attempts.succeeded(1000.0)
    attempts.failed(1000.0)
    assert attempts.due(interval) == 1000.0 + pauses[0]


def test_many_failures_do_not_overflow() -> None:
    assert Attempts(0.0, 10**6).due(_DAY) == 3600.0


def test_a_warning_is_news_until_it_is_repeated_and_again_after_a_success() -> None:
    attempts = Attempts()
    assert [attempts.is_news(warning) for warning in ("denied", "denied", "timeout", "denied")] == [
        *(True, False, True, True)
    ]
    attempts.succeeded(0.0)
    assert attempts.warned == ""
    assert attempts.is_news("denied")
