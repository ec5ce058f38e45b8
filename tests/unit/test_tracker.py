"""Test which jobs are due, settled and kept."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.training.job import Instances, TrainingJob, WarmPool

SETTLE, RETENTION, INTERVAL = 120.0, 3600.0, 30.0
PACE = TrackerTiming(INTERVAL, SETTLE, RETENTION)
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
    tracker = Tracker(PACE)
    tracker.track(job, at=0.0)
    tracker.read(job, now, at=0.0, settle=SETTLE)
    tracked = tracker.get(job.name)
    assert tracked is not None
    assert (tracked.settled_at is None) == math.isfinite(tracked.due)
    return tracked.settled_at is not None


def test_each_job_is_read_once_an_interval_spread_evenly() -> None:
    tracker = Tracker(PACE)
    for number in range(100):
        tracker.track(running(f"job-{number}"), at=1000.0)
    assert len(tracker.due(1000.0)) == 100
    for name in tracker.due(1000.0):
        tracker.read(running(name), CREATED, at=1000.0, settle=SETTLE)
    reads, at = list[tuple[float, str]](), 1000.0 + 2 * INTERVAL
    for name in tracker.due(at):
        tracker.postpone(name, at)
    start = at + INTERVAL
    while tracker.next_due() < start + 3 * INTERVAL:
        at = tracker.next_due()
        for name in tracker.due(at):
            tracker.read(running(name), CREATED, at, SETTLE)
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
    tracker = Tracker(PACE)
    tracker.track(running(), at=0.0)
    for at in (0.0, 14.9, 15.0, 29.9, 30.0, 31.0):
        tracker.postpone("job", at)
        assert INTERVAL / 2 <= tracker.next_due() - at <= INTERVAL * 1.5


def test_the_longest_waiting_is_read_first() -> None:
    tracker = Tracker(PACE)
    for name, at in (("b", 5.0), ("c", 1.0), ("a", 9.0)):
        tracker.track(running(name), at)
    assert tracker.due(6.0) == ["c", "b"]
    tracker.read_now("a", 0.5)
    assert tracker.due(6.0) == ["a", "c", "b"]


def test_a_running_job_is_never_settled() -> None:
    assert not settled_at_first_sight(running(), CREATED + 1e9)


def test_a_job_is_settled_once_nothing_moved_for_the_settle_time() -> None:
    last = ENDED + 20
    assert not settled_at_first_sight(ended(), last + SETTLE - 1)
    assert settled_at_first_sight(ended(), last + SETTLE)


def test_a_change_seen_late_starts_the_settle_time_again() -> None:
    tracker = Tracker(PACE)
    tracker.track(ended(), at=0.0)
    now = ENDED + 100
    assert tracker.read(ended(), now, 0.0, SETTLE)
    billed = replace(ended(), billable_seconds=10.0)
    assert tracker.read(billed, now + 30, 30.0, SETTLE)
    assert not tracker.read(billed, now + 30 + SETTLE - 1, 60.0, SETTLE)
    assert tracker.next_due() < math.inf
    assert tracker.read(billed, now + 30 + SETTLE, 90.0, SETTLE)
    assert tracker.next_due() == math.inf


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
    tracker = Tracker(PACE)
    tracker.track(ended(), at=0.0)
    settled = ENDED + 20 + SETTLE
    tracker.read(ended(), settled + 50, 0.0, SETTLE)
    assert tracker.expired(settled + RETENTION - 1) == []
    assert tracker.expired(settled + RETENTION) == ["job"]
    assert tracker.drop("job") == ended()
    assert (len(tracker), tracker.drop("job")) == (0, None)


def test_a_running_job_never_expires() -> None:
    tracker = Tracker(PACE)
    tracker.track(running(), at=0.0)
    tracker.read(running(), CREATED, 0.0, SETTLE)
    assert tracker.expired(math.inf) == []


def test_a_name_used_again_is_another_job() -> None:
    tracker = Tracker(PACE)
    tracker.track(ended(), at=0.0)
    tracker.read(ended(), ENDED + 1e5, 0.0, SETTLE)
    again = running(created=CREATED + 5000)
    assert tracker.should_track(again, closed=False, now=CREATED + 5001)
    assert tracker.track(again, at=7.0) == ended().identity
    tracked = tracker.get("job")
    assert tracked is not None
    assert (tracked.job, tracked.settled_at, tracker.due(7.0), len(tracker)) == (again, None, ["job"], 1)
    assert not tracker.should_track(ended(), closed=False, now=CREATED + 5001)
    assert tracker.track(again, at=8.0) is None


def test_what_is_followed_already_is_not_wanted_again() -> None:
    tracker = Tracker(PACE)
    tracker.track(running(), at=0.0)
    assert not tracker.should_track(running(), closed=False, now=CREATED)


def test_a_job_that_is_closed_is_wanted_while_its_series_are_kept() -> None:
    tracker, settled = Tracker(PACE), ENDED + 20 + SETTLE
    assert tracker.should_track(ended(), closed=True, now=settled + RETENTION - 1)
    assert not tracker.should_track(ended(), closed=True, now=settled + RETENTION)
    assert tracker.should_track(ended(), closed=False, now=settled + RETENTION)


def test_counts_say_what_is_held_now() -> None:
    tracker = Tracker(PACE)
    tracker.track(running("a"), at=0.0)
    tracker.track(running("b"), at=0.0)
    assert tracker.counts().jobs["InProgress", "Training"] == 2
    assert tracker.counts().instances["ml.m5.large", "training"] == 4
    kept = ended("b", WarmPool("Available", 1.0, None), KEEP_ALIVE)
    tracker.read(kept, ENDED + 30, 1.0, SETTLE)
    assert tracker.counts().jobs["InProgress", "Training"] == 1
    assert tracker.counts().instances == {("ml.m5.large", "training"): 2, ("ml.m5.large", "warm_pool"): 2}
    tracker.drop("a")
    tracker.read(ended("b", WarmPool("Terminated", 1.0, None), KEEP_ALIVE), ENDED + 60, 2.0, SETTLE)
    assert not any(tracker.counts().jobs.values())
    assert not any(tracker.counts().instances.values())


def test_spot_instances_are_counted_apart_and_their_pool_is_a_pool() -> None:
    tracker = Tracker(PACE)
    tracker.track(running("on-demand"), at=0.0)
    tracker.track(running("spot"), at=0.0)
    for name, spot in (("on-demand", False), ("spot", True)):
        tracker.read(replace(running(name), spot=spot), CREATED + 60, 1.0, SETTLE)
    assert tracker.counts().instances == {("ml.m5.large", "training"): 2, ("ml.m5.large", "spot_training"): 2}
    kept = replace(ended("spot", WarmPool("Available", 1.0, None), KEEP_ALIVE), spot=True)
    tracker.read(kept, ENDED + 30, 2.0, SETTLE)
    held = {usage: number for (_, usage), number in tracker.counts().instances.items()}
    assert held == {"training": 2, "spot_training": 0, "warm_pool": 2}


@pytest.mark.parametrize("secondary", ["Starting", "Interrupted", "Pending"])
def test_a_job_that_waits_for_capacity_holds_nothing(secondary: str) -> None:
    tracker = Tracker(PACE)
    tracker.track(replace(running(), secondary_status=secondary), at=0.0)
    assert not any(tracker.counts().instances.values())
