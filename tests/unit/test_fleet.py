"""Which jobs are due, which are settled, which are kept."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from exporter.polling.tracker import Fleet, Pace
from exporter.training.job import Instances, TrainingJob, WarmPool

SETTLE, RETENTION, INTERVAL = 120.0, 3600.0, 30.0
PACE = Pace(INTERVAL, SETTLE, RETENTION)
CREATED, ENDED = 1_700_000_000.0, 1_700_001_000.0
KEEP_ALIVE = 1800.0


def running(name: str = "job", created: float = CREATED) -> TrainingJob:
    return TrainingJob(
        account="1",
        region="r",
        name=name,
        status="InProgress",
        secondary_status="Training",
        created=created,
        started=created + 10,
        modified=created + 10,
        instances=(Instances("ml.m5.large", "", 2),),
    )


def ended(name: str = "job", pool: WarmPool | None = None, keep_alive: float | None = None) -> TrainingJob:
    job = running(name)
    return replace(
        job,
        status="Completed",
        secondary_status="Completed",
        ended=ENDED,
        modified=ENDED + 20,
        billable_seconds=990.0,
        warm_pool=pool,
        keep_alive_seconds=keep_alive,
    )


def settled_at_first_sight(job: TrainingJob, now: float) -> bool:
    fleet = Fleet(PACE)
    fleet.follow(job, at=0.0)
    fleet.read(job, now, at=0.0, settle=SETTLE)
    followed = fleet.get(job.name)
    assert followed is not None
    assert (followed.settled_at is None) == math.isfinite(followed.due)
    return followed.settled_at is not None


def test_each_job_is_read_once_an_interval_spread_evenly() -> None:
    fleet = Fleet(PACE)
    for number in range(100):
        fleet.follow(running(f"job-{number}"), at=1000.0)
    assert len(fleet.due(1000.0)) == 100
    for name in fleet.due(1000.0):
        fleet.read(running(name), CREATED, at=1000.0, settle=SETTLE)
    reads, at = list[tuple[float, str]](), 1000.0 + 2 * INTERVAL
    for name in fleet.due(at):
        fleet.postpone(name, at)
    start = at + INTERVAL
    while fleet.next_due() < start + 3 * INTERVAL:
        at = fleet.next_due()
        for name in fleet.due(at):
            fleet.read(running(name), CREATED, at, SETTLE)
            if at >= start:
                reads.append((at, name))
    for turn in range(3):
        within = [(t, n) for t, n in reads if start + turn * INTERVAL <= t < start + (turn + 1) * INTERVAL]
        assert Counter(Counter(name for _, name in within).values()) == {1: 100}
        assert len(within) == 100
        a_second = Counter(int(t) for t, _ in within)
        assert max(a_second.values()) <= 6
    times = [t for t, _ in reads]
    assert max(b - a for a, b in pairwise(times)) < 1.0


def test_a_late_reading_is_not_followed_by_an_early_one() -> None:
    fleet = Fleet(PACE)
    fleet.follow(running(), at=0.0)
    for at in (0.0, 14.9, 15.0, 29.9, 30.0, 31.0):
        fleet.postpone("job", at)
        assert INTERVAL / 2 <= fleet.next_due() - at <= INTERVAL * 1.5


def test_the_longest_waiting_is_read_first() -> None:
    fleet = Fleet(PACE)
    for name, at in (("b", 5.0), ("c", 1.0), ("a", 9.0)):
        fleet.follow(running(name), at)
    assert fleet.due(6.0) == ["c", "b"]
    fleet.hasten("a", 0.5)
    assert fleet.due(6.0) == ["a", "c", "b"]


def test_a_running_job_is_never_settled() -> None:
    assert not settled_at_first_sight(running(), CREATED + 1e9)


def test_a_job_is_settled_once_nothing_moved_for_the_settle_time() -> None:
    last = ENDED + 20
    assert not settled_at_first_sight(ended(), last + SETTLE - 1)
    assert settled_at_first_sight(ended(), last + SETTLE)


def test_a_change_seen_late_starts_the_settle_time_again() -> None:
    fleet = Fleet(PACE)
    fleet.follow(ended(), at=0.0)
    now = ENDED + 100
    assert fleet.read(ended(), now, 0.0, SETTLE)
    billed = replace(ended(), billable_seconds=10.0)
    assert fleet.read(billed, now + 30, 30.0, SETTLE)
    assert not fleet.read(billed, now + 30 + SETTLE - 1, 60.0, SETTLE)
    assert fleet.next_due() < math.inf
    assert fleet.read(billed, now + 30 + SETTLE, 90.0, SETTLE)
    assert fleet.next_due() == math.inf


@pytest.mark.parametrize("status", ["Reused", "Terminated"])
def test_a_pool_that_is_over_lets_its_job_settle(status: str) -> None:
    job = ended(pool=WarmPool(status, 10.0, None), keep_alive=KEEP_ALIVE)
    assert settled_at_first_sight(job, ENDED + 20 + SETTLE)


def test_an_available_pool_keeps_its_job_unsettled_however_long() -> None:
    job = ended(pool=WarmPool("Available", 10.0, None), keep_alive=KEEP_ALIVE)
    assert not settled_at_first_sight(job, ENDED + KEEP_ALIVE * 10)


@pytest.mark.parametrize("pool", [None, WarmPool(None, None, None), WarmPool("InUse", None, None)])
def test_a_pool_that_never_shows_up_is_gone_after_keep_alive_and_settle(pool: WarmPool | None) -> None:
    job = ended(pool=pool, keep_alive=KEEP_ALIVE)
    assert not settled_at_first_sight(job, ENDED + KEEP_ALIVE + SETTLE - 1)
    assert settled_at_first_sight(job, ENDED + KEEP_ALIVE + SETTLE)


def test_a_job_whose_cost_tags_are_not_known_yet_is_not_settled() -> None:
    assert not settled_at_first_sight(replace(ended(), cost_tags=None), ENDED + 1e6)


def test_a_settled_job_is_kept_for_the_retention() -> None:
    fleet = Fleet(PACE)
    fleet.follow(ended(), at=0.0)
    settled = ENDED + 20 + SETTLE
    fleet.read(ended(), settled + 50, 0.0, SETTLE)
    assert fleet.expired(settled + RETENTION - 1) == []
    assert fleet.expired(settled + RETENTION) == ["job"]
    assert fleet.drop("job") == ended()
    assert (len(fleet), fleet.drop("job")) == (0, None)


def test_a_running_job_never_expires() -> None:
    fleet = Fleet(PACE)
    fleet.follow(running(), at=0.0)
    fleet.read(running(), CREATED, 0.0, SETTLE)
    assert fleet.expired(math.inf) == []


def test_a_name_used_again_is_another_job() -> None:
    fleet = Fleet(PACE)
    fleet.follow(ended(), at=0.0)
    fleet.read(ended(), ENDED + 1e5, 0.0, SETTLE)
    again = running(created=CREATED + 5000)
    assert fleet.wants(again, closed=False, now=CREATED + 5001)
    assert fleet.follow(again, at=7.0) == ended().identity
    followed = fleet.get("job")
    assert followed is not None
    assert (followed.job, followed.settled_at, fleet.due(7.0), len(fleet)) == (again, None, ["job"], 1)
    assert not fleet.wants(ended(), closed=False, now=CREATED + 5001)
    assert fleet.follow(again, at=8.0) is None


def test_what_is_followed_already_is_not_wanted_again() -> None:
    fleet = Fleet(PACE)
    fleet.follow(running(), at=0.0)
    assert not fleet.wants(running(), closed=False, now=CREATED)


def test_a_job_that_is_closed_is_wanted_while_its_series_are_kept() -> None:
    fleet, settled = Fleet(PACE), ENDED + 20 + SETTLE
    assert fleet.wants(ended(), closed=True, now=settled + RETENTION - 1)
    assert not fleet.wants(ended(), closed=True, now=settled + RETENTION)
    assert fleet.wants(ended(), closed=False, now=settled + RETENTION)


def test_counts_say_what_is_held_now() -> None:
    fleet = Fleet(PACE)
    fleet.follow(running("a"), at=0.0)
    fleet.follow(running("b"), at=0.0)
    assert fleet.counts().jobs["InProgress", "Training"] == 2
    assert fleet.counts().instances["ml.m5.large", "training"] == 4
    kept = ended("b", WarmPool("Available", 1.0, None), KEEP_ALIVE)
    fleet.read(kept, ENDED + 30, 1.0, SETTLE)
    assert fleet.counts().jobs["InProgress", "Training"] == 1
    assert fleet.counts().instances == {("ml.m5.large", "training"): 2, ("ml.m5.large", "warm_pool"): 2}
    fleet.drop("a")
    fleet.read(ended("b", WarmPool("Terminated", 1.0, None), KEEP_ALIVE), ENDED + 60, 2.0, SETTLE)
    assert not any(fleet.counts().jobs.values())
    assert not any(fleet.counts().instances.values())


def test_spot_instances_are_counted_apart_and_their_pool_is_a_pool() -> None:
    fleet = Fleet(PACE)
    fleet.follow(running("on-demand"), at=0.0)
    fleet.follow(running("spot"), at=0.0)
    for name, spot in (("on-demand", False), ("spot", True)):
        fleet.read(replace(running(name), spot=spot), CREATED + 60, 1.0, SETTLE)
    assert fleet.counts().instances == {("ml.m5.large", "training"): 2, ("ml.m5.large", "spot_training"): 2}
    kept = replace(ended("spot", WarmPool("Available", 1.0, None), KEEP_ALIVE), spot=True)
    fleet.read(kept, ENDED + 30, 2.0, SETTLE)
    held = {usage: number for (_, usage), number in fleet.counts().instances.items()}
    assert held == {"training": 2, "spot_training": 0, "warm_pool": 2}


@pytest.mark.parametrize("secondary", ["Starting", "Interrupted", "Pending"])
def test_a_job_that_waits_for_capacity_holds_nothing(secondary: str) -> None:
    fleet = Fleet(PACE)
    fleet.follow(replace(running(), secondary_status=secondary), at=0.0)
    assert not any(fleet.counts().instances.values())
