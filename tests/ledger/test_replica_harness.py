"""Test that replicas which share targets end with the schedules' totals, after any history of failures.

`make soak` runs more seeds, also on a real PostgreSQL server.
"""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from tests.ledger.fake_postgres import FakeServer
from tests.ledger.real_postgres import RealDatabase
from tests.ledger.replica_harness import TARGETS, ReplicaHarness

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

_ONE = os.environ.get("SOAK_SEED")
_SEEDS = [int(_ONE)] if _ONE else range(int(os.environ.get("SOAK_SEEDS") or 1))
# How many seeds `make test` runs, and `make soak` on a real server for each ten others.
_FIRST, _REAL = 2, [5]


@pytest.mark.parametrize("seed", range(_FIRST))
def test_totals_of_replicas_equal_the_schedule(seed: int) -> None:
    _soak(seed)


@pytest.mark.process
@pytest.mark.long
@pytest.mark.parametrize("seed", _REAL)
def test_totals_of_replicas_equal_the_schedule_on_a_real_server(seed: int, database: str) -> None:
    _soak(seed, database)


@pytest.mark.soak
@pytest.mark.parametrize("seed", _SEEDS)
def test_totals_of_replicas_equal_the_schedule_on_many_more_seeds(seed: int) -> None:
    _soak(seed)


@pytest.mark.soak
@pytest.mark.process
@pytest.mark.parametrize("seed", _SEEDS[::10])
def test_totals_of_replicas_equal_the_schedule_on_a_real_server_on_many_more_seeds(seed: int, database: str) -> None:
    _soak(seed, database)


@pytest.mark.long
def test_a_seed_is_the_same_history_of_replicas_again() -> None:
    first, second = _run(7), _run(7)
    assert first.history == second.history
    assert first.time.passed == second.time.passed
    assert [first.totals_of(one) for one in TARGETS] == [second.totals_of(one) for one in TARGETS]
    assert len(set(first.history)) > 1


def _soak(seed: int, url: str = "") -> None:
    try:
        _run(seed, url)
    except AssertionError as error:
        error.add_note(f"the same again: make soak SEED={seed}")
        raise


def _run(seed: int, url: str = "") -> ReplicaHarness:
    if not url:
        harness = ReplicaHarness(seed, lambda time: FakeServer(lambda: time.passed))
        harness.run()
        return harness
    with closing(RealDatabase(url)) as database:
        harness = ReplicaHarness(seed, lambda _: database)
        harness.run()
        return harness
