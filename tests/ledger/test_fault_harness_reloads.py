"""Test that reloads, and changes of the strategy, add nothing and lose nothing in the histories of the harness.

`make soak` runs every fourth of its seeds here, too; `make soak SEED=17` repeats one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.reloading import Reloading
from tests.ledger.test_fault_harness import SEEDS

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

# How many seeds `make test` runs.
_FIRST = 4


@pytest.mark.parametrize("seed", range(_FIRST))
def test_totals_equal_the_schedule_over_reloads(seed: int, disk: Path) -> None:
    # Not each of all seeds has one: lives may be too short.
    assert _soak(seed, disk).overlaps > 0


@pytest.mark.soak
# They take four times as long as those without reloads.
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_totals_equal_the_schedule_over_reloads_on_many_more_seeds(seed: int, disk: Path) -> None:
    _soak(seed, disk)


def _soak(seed: int, folder: Path) -> Reloading:
    harness = Reloading(seed, folder)
    try:
        harness.run()
    except AssertionError as error:
        error.add_note(f"the same again: make soak SEED={seed}")
        raise
    return harness
