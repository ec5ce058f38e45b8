"""Test AWS's clock, estimated from Date headers: neither a wrong header nor a wrong machine clock does harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.date import AwsClock

# AWS's time is the monotonic clock's plus this.
TRUE = 1_700_000_000.0
HOUR, DAY = 3600.0, 86400.0
FAR = st.sampled_from([-400 * DAY, -DAY, -HOUR, -300.0, 300.0, HOUR, DAY, 400 * DAY])


def heard(clock: AwsClock, at: float, wrong: float = 0.0, machine: float = 0.0) -> float:
    """Return how far the estimate is ahead of AWS's time after a response."""
    clock.heard(TRUE + at + wrong, TRUE + at + machine, at)
    return clock.now(at) - TRUE - at


@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 400 * DAY])
def test_one_date_far_from_the_others_does_not_count(wrong: float) -> None:
    clock = AwsClock(TRUE, 0.0)
    assert [heard(clock, at, wrong if at == 30.0 else 0.0) for at in range(0, 100, 10)] == [0.0] * 10


@pytest.mark.parametrize("wrong", [HOUR, 400 * DAY])
def test_the_first_date_does_not_count_when_it_is_far_ahead_of_the_machine(wrong: float) -> None:
    clock = AwsClock(TRUE, 0.0)
    assert heard(clock, 1.0, wrong) == 0.0
    assert heard(clock, 2.0) == 0.0


def test_the_first_date_makes_the_time_earlier_until_a_second_answer_agrees_with_the_machine() -> None:
    clock = AwsClock(TRUE, 0.0)
    assert heard(clock, 1.0, -HOUR) == -HOUR
    assert heard(clock, 2.0) == 0.0


@pytest.mark.parametrize("machine", [-400 * DAY, -HOUR, HOUR, 400 * DAY])
def test_dates_that_agree_for_a_minute_win_against_a_machine_whose_clock_is_wrong(machine: float) -> None:
    clock = AwsClock(TRUE + machine, 0.0)
    for at in (0.0, 1.0, 59.0):
        assert heard(clock, at, machine=machine) == min(0.0, machine)
    assert heard(clock, 60.0, machine=machine) == 0.0
    # From then on the machine's clock has no effect.
    assert heard(clock, 61.0, machine=-machine) == 0.0


def test_a_machine_that_was_suspended_follows_at_once() -> None:
    """Its monotonic clock stood still for eight hours, its wall clock did not."""
    clock = AwsClock(TRUE, 0.0)
    heard(clock, 1.0)
    assert heard(clock, 2.0, 8 * HOUR, machine=8 * HOUR) == 8 * HOUR


@given(
    st.lists(st.tuples(st.floats(0.1, 90.0), st.one_of(st.just(0.0), st.just(0.0), FAR)), max_size=40),
    st.sampled_from([0.0, 120.0, -120.0, HOUR / 2, -HOUR / 2, 2 * DAY, -2 * DAY]),
)
def test_wrong_dates_one_at_a_time_never_make_it_late(answers: list[tuple[float, float]], machine: float) -> None:
    clock, at, before = AwsClock(TRUE + machine, 0.0), 0.0, 0.0
    heard(clock, at, machine=machine)
    for pause, drawn in answers:
        # Two of three contradictions may be needed to detect a wrong machine clock, and none of them is wrong.
        wrong, at = (drawn if not before else 0.0), at + pause
        before = wrong
        assert heard(clock, at, wrong, machine) <= 1e-3
        if machine == 0.0:
            assert clock.now(at) >= TRUE + at - 1e-3


@given(st.sampled_from([0.0, HOUR, -HOUR, 400 * DAY, -400 * DAY]), FAR)
def test_it_comes_back_after_it_was_led_astray_for_long(machine: float, wrong: float) -> None:
    clock = AwsClock(TRUE + machine, 0.0)
    for at in range(0, 600, 20):
        heard(clock, at, wrong, machine)
    for at in range(600, 700, 20):
        heard(clock, at, machine=machine)
    assert heard(clock, 700.0, machine=machine) == pytest.approx(0.0, abs=1e-3)


def test_the_time_is_doubtful_until_the_dates_or_the_machine_are_right() -> None:
    clock = AwsClock(TRUE, 0.0)
    assert not clock.doubtful
    heard(clock, 1.0, HOUR)
    assert clock.doubtful
    heard(clock, 2.0)
    assert not clock.doubtful
    # An accepted clock is kept until responses contradict it for a minute.
    heard(clock, 3.0, HOUR)
    assert not clock.doubtful
