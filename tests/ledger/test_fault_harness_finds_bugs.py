"""Test that the harness finds each bug, injected into ledger or poller on purpose, within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ledger import bugs_in_polling, bugs_in_the_ledger
from tests.ledger.harness import Harness

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.long, pytest.mark.no_cover]

_SEEDS = 300

Patch = pytest.MonkeyPatch

# A seed that found the bug when it was added. Others are tried if histories have changed since.
_BUGS: dict[Callable[[Patch], None], int] = {
    bugs_in_the_ledger.count_again: 0,
    bugs_in_the_ledger.commit_jobs_and_totals_apart: 0,
    bugs_in_the_ledger.drop_what_could_not_be_written: 2,
    bugs_in_the_ledger.show_before_it_is_written: 3,
    bugs_in_the_ledger.trust_a_commit_that_failed: 2,
    bugs_in_the_ledger.take_the_first_of_two_readings_of_a_moment: 0,
    bugs_in_the_ledger.count_a_bucket_too_far: 0,
    bugs_in_the_ledger.prune_by_the_clock_of_the_machine: 17,
    bugs_in_the_ledger.prune_over_jobs_that_were_not_read: 74,
    bugs_in_polling.call_a_job_recorded_when_it_is_found: 74,
    bugs_in_polling.settle_before_the_warm_pool_is_over: 89,
    bugs_in_polling.settle_at_the_end: 1,
    bugs_in_polling.look_back_not_at_all: 0,
    bugs_in_the_ledger.take_every_stop_for_a_person: 0,
    bugs_in_the_ledger.give_two_keys_one_label: 8,
    bugs_in_polling.settle_without_the_bill: 1,
    bugs_in_polling.settle_while_a_rule_goes_on: 12,
    bugs_in_polling.give_a_bill_up_too_early: 4,
    bugs_in_polling.give_a_bill_up_never: 8,
    bugs_in_polling.give_a_bill_up_by_the_clock_of_the_machine: 0,
    bugs_in_the_ledger.give_up_no_bill_of_a_job_that_is_gone: 3,
    bugs_in_the_ledger.count_training_seconds_before_the_bill: 1,
    bugs_in_the_ledger.count_training_seconds_again_with_a_late_bill: 4,
    bugs_in_the_ledger.forget_at_a_restart_what_was_open: 3,
    bugs_in_the_ledger.price_anew_at_each_reading: 1,
    bugs_in_the_ledger.price_nothing_later: 0,
    bugs_in_the_ledger.forget_prices_that_could_not_be_written: 42,
    bugs_in_the_ledger.count_money_in_floats: 2,
    bugs_in_the_ledger.keep_no_rates: 1,
    bugs_in_the_ledger.bill_a_training_plan: 2,
    bugs_in_the_ledger.tell_jobs_apart_by_the_millisecond: 0,
    bugs_in_polling.never_try_a_denied_job_again: 0,
    bugs_in_polling.call_a_denied_job_recorded: 74,
    bugs_in_polling.count_a_job_for_nobody_when_its_tags_are_denied: 15,
    bugs_in_polling.believe_a_creation_time: 2,
    bugs_in_polling.show_late_prices_never: 145,
    bugs_in_polling.believe_every_date: 11,
}


# A bug whose seed has another history now is looked for in all seeds.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("bug", "seed"), _BUGS.items())
def test_bug_is_found(bug: Callable[[Patch], None], seed: int, disk: Path, monkeypatch: Patch) -> None:
    bug(monkeypatch)
    seeds = (seed, *range(_SEEDS))
    assert any(_fails(one, disk / str(n)) for n, one in enumerate(seeds)), f"{_SEEDS} seeds do not find it"


def _fails(seed: int, folder: Path) -> bool:
    with suppress(AssertionError):
        Harness(seed, folder).run()
        return False
    return True
