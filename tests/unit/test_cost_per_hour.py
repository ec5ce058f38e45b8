"""Test the costs per hour of a job and of a fleet: each currency by itself, and nothing for what is prepaid."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.training import bill
from exporter.training.active import ACTIVE
from exporter.training.cost import Rate
from exporter.training.job import Instances, TrainingJob

_M5, _G5 = "ml.m5.large", "ml.g5.xlarge"
_JOB = TrainingJob(
    account="1",
    region="r",
    name="job",
    status="InProgress",
    secondary_status="Training",
    created=1000.0,
    started=1100.0,
    spot=False,
    instances=(Instances(_M5, "a", 2), Instances(_G5, "b", 1)),
)
_DOLLARS, _YUAN = Rate(Fraction(1, 2), "USD"), Rate(Fraction(7), "CNY")
_RATES = {(_M5, "training"): _DOLLARS, (_G5, "training"): _YUAN}


def test_a_job_has_a_cost_per_hour_in_each_currency() -> None:
    assert list(bill.cost_per_hour(_JOB, _RATES)) == [(("USD",), 1.0), (("CNY",), 7.0)]
    assert list(bill.cost_per_hour(_JOB, {**_RATES, (_M5, "training"): _YUAN})) == [(("CNY",), 21.0)]
    assert list(bill.cost_per_hour(_JOB, {(_M5, "training"): _DOLLARS})) == []
    assert list(bill.cost_per_hour(replace(_JOB, instances=()), _RATES)) == []


def _fleet(*jobs: TrainingJob) -> tuple[dict[Any, float], dict[Any, float]]:
    """Return the instances and the costs per hour of a target with these jobs."""
    tracker = Tracker(TrackerTiming(30.0, 120.0, 3600.0))
    for job in jobs:
        tracker.track(job, at=0.0)
        tracker.read(job, 2000.0, 0.0, 120.0)
    counts = replace(tracker.counts(), rates=_RATES)
    rows = {family.name: dict(family.rows(counts)) for family in ACTIVE.families}
    return rows["sagemaker_training_instances"], rows["sagemaker_training_cost_per_hour"]


def test_instances_of_a_training_plan_are_held_and_cost_nothing_per_hour() -> None:
    planned = replace(_JOB, name="planned", training_plan="plan", instances=(Instances(_M5, "", 8),))
    instances, costs = _fleet(_JOB, planned)
    assert instances == {(_M5, "training"): 10.0, (_G5, "training"): 1.0}
    assert costs == {(_M5, "training", "USD"): 1.0, (_G5, "training", "CNY"): 7.0}
    assert _fleet(planned) == ({(_M5, "training"): 8.0}, {})
