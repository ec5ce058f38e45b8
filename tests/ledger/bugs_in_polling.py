"""Define bugs of a poller, to be injected on purpose."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.aws.date import AwsClock
from exporter.polling import discovery, settling
from exporter.polling.intake import Intake, Updates
from exporter.polling.poller import Poller
from exporter.polling.recording import Recording
from exporter.polling.tagging import Tagger
from exporter.polling.tracker import Tracker
from exporter.training.job import TrainingJob

Patch = pytest.MonkeyPatch


def call_a_job_recorded_when_it_is_found(patch: Patch) -> None:
    patch.setattr(Poller, "_recorded_until", lambda poller: poller._discovery.until)


def settle_before_the_warm_pool_is_over(patch: Patch) -> None:
    patch.setattr(settling.Settling, "_pool_is_over", lambda *_: True)


def settle_at_the_end(patch: Patch) -> None:
    """Settle jobs when they end: later bills and corrections are missed."""
    patch.setattr(settling.Settling, "is_settled", lambda _settling, job, *_: job.terminal)


def look_back_not_at_all(patch: Patch) -> None:
    patch.setattr(discovery.Discovery, "_after", lambda self, now, full: self.until or now - 1.0)


def settle_without_the_bill(patch: Patch) -> None:
    patch.setattr(settling, "_lacks_something", lambda _: False)


def settle_while_a_rule_goes_on(patch: Patch) -> None:
    patch.setattr(TrainingJob, "evaluated", True)


def give_a_bill_up_too_early(patch: Patch) -> None:
    patch.setattr(settling, "PATIENCE", 80000.0)


def give_a_bill_up_never(patch: Patch) -> None:
    patch.setattr(settling, "PATIENCE", math.inf)


def give_a_bill_up_by_the_clock_of_the_machine(patch: Patch) -> None:
    described = Intake.described

    def wrong(intake: Intake, job: TrainingJob, now: float, at: float, updates: Updates, doubtful: bool) -> None:
        described(intake, job, intake._health._time(), at, updates)

    patch.setattr(Intake, "described", wrong)


def never_try_a_denied_job_again(patch: Patch) -> None:
    refuse = Tracker.refuse

    def wrong(tracker: Tracker, name: str, at: float) -> int:
        times = refuse(tracker, name, at)
        tracker.pause(name)
        return times

    patch.setattr(Tracker, "refuse", wrong)


def call_a_denied_job_recorded(patch: Patch) -> None:
    """Record denied jobs as known: after a long downtime a restart does not list them again."""
    jobs = Tracker.jobs

    def recorded_until(poller: Poller) -> float | None:
        with pytest.MonkeyPatch.context() as only_others:
            only_others.setattr(Tracker, "jobs", lambda tracker: [f for f in jobs(tracker) if not f.refused])
            return right(poller)

    right = Poller._recorded_until
    patch.setattr(Poller, "_recorded_until", recorded_until)


def count_a_job_for_nobody_when_its_tags_are_denied(patch: Patch) -> None:
    tagged = Tagger.tagged

    async def wrong(tagger: Tagger, one: TrainingJob) -> TrainingJob:
        one = await tagged(tagger, one)
        return replace(one, cost_tags=()) if tagger.waits_for(one.name) else one

    patch.setattr(Tagger, "tagged", wrong)


def believe_a_creation_time(patch: Patch) -> None:
    """Take the newest CreationTime for the time up to which jobs are known."""
    walk = discovery.Discovery.walk

    async def wrong(self: discovery.Discovery, *sources: Any) -> AsyncIterator[discovery.Found]:
        newest = 0.0
        async for found in walk(self, *sources):
            newest = max([newest, *(job.created or 0.0 for job in found.jobs)])
            yield found
        self.until = max(self.until or 0.0, newest)

    patch.setattr(discovery.Discovery, "walk", wrong)
    patch.setattr(discovery.Discovery, "rejects_until", lambda *_: False)


def believe_every_date(patch: Patch) -> None:
    """Trust any Date, also of a host whose clock is months ahead: bills are given up too early."""
    patch.setattr(AwsClock, "heard", lambda clock, date, wall, at: clock._accept(date - at))


def show_late_prices_never(patch: Patch) -> None:
    async def nothing(recording: Recording) -> None: ...

    patch.setattr(Recording, "_show_prices", nothing)
