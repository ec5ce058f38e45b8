"""Test that changes of the configuration add nothing and lose nothing in the histories of replicas.

`make soak` runs every fourth of its seeds here, too; `make soak SEED=17` repeats one.
"""

from __future__ import annotations

import pytest

from tests.ledger.fake_postgres import FakeServer
from tests.ledger.reconfiguring import Reconfiguring
from tests.ledger.test_fault_harness import SEEDS

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

# How many seeds `make long` runs.
_FIRST = 1


@pytest.mark.long
@pytest.mark.parametrize("seed", range(_FIRST))
def test_totals_equal_the_schedule_over_changes_of_the_configuration(seed: int) -> None:
    _soak(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_totals_equal_the_schedule_over_changes_of_the_configuration_on_many_more_seeds(seed: int) -> None:
    _soak(seed)


def _soak(seed: int) -> None:
    try:
        Reconfiguring(seed, lambda time: FakeServer(lambda: time.passed)).run()
    except AssertionError as error:
        error.add_note(f"the same again: make soak SEED={seed}")
        raise
