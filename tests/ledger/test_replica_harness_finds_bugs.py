"""Test that the harness of replicas finds each bug, injected on purpose, within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.ledger import bugs_in_configurations, bugs_in_sharing
from tests.ledger.fake_postgres import FakeServer
from tests.ledger.reconfiguring import Reconfiguring
from tests.ledger.replica_harness import ReplicaHarness

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.long, pytest.mark.no_cover]

_SEEDS = 60

Patch = pytest.MonkeyPatch

# A seed that found the bug when it was added. Others are tried if histories have changed since.
_BUGS: dict[Callable[[Patch], None], int] = {
    bugs_in_sharing.lock_on_another_connection: 0,
    bugs_in_sharing.write_after_the_lock_is_lost: 0,
    bugs_in_sharing.go_on_in_a_new_session: 0,
    bugs_in_sharing.show_old_totals_after_a_reload: 6,
    bugs_in_sharing.wait_for_nobody: 0,
    bugs_in_sharing.believe_to_hold_for_ever: 2,
    bugs_in_sharing.read_totals_before_the_lock: 0,
    bugs_in_sharing.keep_totals_of_lost_targets: 0,
}
# What only a change of the configuration shows, or a database that is full right before one.
_OF_CONFIGURATIONS: dict[Callable[[Patch], None], int] = {
    bugs_in_configurations.share_the_targets_of_the_start: 0,
    bugs_in_configurations.take_the_newest_tags: 0,
    bugs_in_configurations.leave_what_ended_before_the_baseline: 54,
    bugs_in_configurations.adjust_recorded_prices: 0,
    bugs_in_configurations.release_before_the_last_write: 32,
    bugs_in_configurations.keep_pending_readings_of_lost_targets: 0,
}


# A bug whose seed has another history now is looked for in all seeds.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("bug", "seed"), _BUGS.items())
def test_bug_is_found(bug: Callable[[Patch], None], seed: int, monkeypatch: Patch) -> None:
    bug(monkeypatch)
    assert any(_fails(ReplicaHarness, one) for one in (seed, *range(_SEEDS))), f"{_SEEDS} seeds do not find it"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("bug", "seed"), _OF_CONFIGURATIONS.items())
def test_bug_is_found_by_changes_of_the_configuration(
    bug: Callable[[Patch], None], seed: int, monkeypatch: Patch
) -> None:
    bug(monkeypatch)
    assert any(_fails(Reconfiguring, one) for one in (seed, *range(_SEEDS))), f"{_SEEDS} seeds do not find it"


def _fails(harness: type[ReplicaHarness], seed: int) -> bool:
    with suppress(AssertionError):
        harness(seed, lambda time: FakeServer(lambda: time.passed)).run()
        return False
    return True
