"""Test that seeded schedules, polled through every kind of failure, end with the schedule's totals.

`make soak SEEDS=5000` runs more seeds than `.ci/run`, which runs 200; `make soak SEED=17` repeats one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ledger.books import TARGET
from tests.ledger.harness import Harness

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

_ONE = os.environ.get("SOAK_SEED")
SEEDS = [int(_ONE)] if _ONE else range(int(os.environ.get("SOAK_SEEDS") or 1))
# How many seeds `make test` runs.
_FIRST = 12


@pytest.mark.parametrize("seed", range(_FIRST))
def test_totals_equal_the_schedule_after_any_history_of_failures(seed: int, disk: Path) -> None:
    _soak(seed, disk)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_totals_equal_the_schedule_on_many_more_seeds(seed: int, disk: Path) -> None:
    _soak(seed, disk)


@pytest.mark.parametrize("seed", [17, 42])
def test_a_seed_is_the_same_history_again(seed: int, disk: Path) -> None:
    first, second = (Harness(seed, disk / name) for name in ("first", "second"))
    for harness in (first, second):
        harness.run()
    assert first.history == second.history
    assert first.time.passed == second.time.passed
    assert first.totals_of(TARGET) == second.totals_of(TARGET)
    assert len(set(first.history)) > 1


def _soak(seed: int, folder: Path) -> None:
    try:
        Harness(seed, folder).run()
    except AssertionError as error:
        error.add_note(f"the same again: make soak SEED={seed}")
        raise
