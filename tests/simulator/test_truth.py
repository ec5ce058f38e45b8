"""Test the truth about lives against the API's responses and against sums computed by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.answers import describe
from exporter.simulator.casting import Casting
from exporter.simulator.life import Billing, Ending, Group, Life, Phase, WarmPool
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES
from exporter.simulator.truth import Expected, expected, total

TERMINAL = ("Completed", "Failed", "Stopped")


def spot_job(**changes: Any) -> Life:
    """Return a job created at 1000 that ends at 1200: 140 s on instances, interrupted once."""
    life = Life(
        name="spot",
        created=1000.0,
        phases=(
            Phase("Starting", 20),
            Phase("Training", 60, on_instances=True),
            Phase("Interrupted", 10),
            Phase("Starting", 30),
            Phase("Training", 80, on_instances=True),
        ),
        groups=(Group("ml.a", 2, "x"), Group("ml.b", 1, "y"), Group("ml.a", 3, "z")),
        spec={"EnableManagedSpotTraining": True},
        billable_ratio=0.5,
    )
    return replace(life, **changes)


def test_a_job_by_hand() -> None:
    pool = WarmPool(released_after=25.5, appears_after=1, reused_by="next")
    assert expected(spot_job(pool=pool)) == Expected(
        name="spot",
        created=1000.0,
        status="Completed",
        category=None,
        spot=True,
        training_seconds=140,
        billable_seconds=70,
        instances={"ml.a": 5, "ml.b": 1},
        instance_seconds={"ml.a": 700, "ml.b": 140},
        billable_instance_seconds={"ml.a": 350, "ml.b": 70},
        interruptions=1,
        retained_seconds=25,
        retained_instance_seconds={"ml.a": 125, "ml.b": 25},
        reused=True,
        duration=200.0,
        queued=20.0,
        phases=(
            ("Starting", 20.0),
            ("Training", 60.0),
            ("Interrupted", 10.0),
            ("Starting", 30.0),
            ("Training", 80.0),
            ("Completed", 0.0),
        ),
    )


def test_a_running_job_counts_only_what_has_happened() -> None:
    seen = expected(spot_job(), now=1085)
    assert (seen.status, seen.duration, seen.training_seconds, seen.billable_seconds) == (None, None, None, None)
    assert seen.interruptions == 1
    assert seen.phases == (("Starting", 20.0), ("Training", 60.0))
    assert expected(spot_job(), now=1079).interruptions == 0


def test_late_billing_and_pools_count_once_they_show() -> None:
    life = spot_job(billing=(Billing(5, 0.5), Billing(30, 1.0)), pool=WarmPool(40, appears_after=2, reused_by="next"))
    seen = [expected(life, 1200 + after) for after in (0, 5, 30, 40)]
    assert [job.billable_seconds for job in seen] == [None, 35, 70, 70]
    assert [job.retained_seconds for job in seen] == [None, 5, 30, 40]
    assert [job.reused for job in seen] == [False, False, False, True]


def test_training_seconds_enter_the_sums_with_the_bill() -> None:
    late = spot_job(billing=(Billing(3600),))
    for after, seconds in ((3599, 0), (3600, 140)):
        sums = total([late], 1200 + after)
        assert sums.seconds["true"] == seconds
        assert sums.instance_seconds["ml.a", "true"] == 5 * seconds
        assert sums.billable_seconds["true"] == seconds // 2
        assert sums.finished == Counter(Completed=1)


def test_training_seconds_whose_bill_never_comes_enter_alone_after_a_day() -> None:
    never = spot_job(billable_ratio=None)
    assert [total([never], 1200 + after).seconds["true"] for after in (86399, 86400)] == [0, 140]
    assert total([never]).billable_seconds["true"] == 0
    deleted = replace(never, deleted=2000.0, deleting_seconds=50)
    assert [total([deleted], at).seconds["true"] for at in (2049, 2050)] == [0, 140]
    serverless = replace(never, groups=())
    assert total([serverless], 1200).seconds["true"] == 140


def test_a_deleted_job_counts_as_it_was_seen_last() -> None:
    life = spot_job(billing=(Billing(30),), deleted=1210)
    assert expected(life).billable_seconds is None
    assert expected(life).training_seconds == 140


def test_a_job_without_ending_never_ends() -> None:
    assert expected(spot_job(ending=None)).status is None
    assert expected(spot_job(ending=None)).phases[-1] == ("Starting", 30.0)


def test_sums_over_lives() -> None:
    failure = Ending("Failed", "Failed", "", "CapacityError: none left", "CapacityError")
    early = Life("early", 1000, (Phase("Starting", 5),), ending=failure, groups=(Group("ml.a", 1),))
    plain = Life("plain", 1000, (Phase("Training", 10.4, on_instances=True),), groups=(Group("ml.a", 1),))
    later = replace(plain, name="later", created=9999.0)
    pooled = spot_job(pool=WarmPool(40, reused_by="next"))
    sums = total([pooled, early, plain, later], now=5000)
    assert (sums.created, sums.interruptions, sums.retained_seconds, sums.reuses) == (3, 1, 40, 1)
    assert sums.finished == Counter(Completed=2, Failed=1)
    assert sums.failed == Counter(CapacityError=1)
    assert sums.seconds == Counter(true=140, false=10)
    assert sums.billable_seconds == Counter(true=70, false=10)
    assert sums.instance_seconds == Counter({("ml.a", "true"): 700, ("ml.b", "true"): 140, ("ml.a", "false"): 10})
    assert sums.billable_instance_seconds[("ml.a", "true")] == 350
    assert sums.retained_instance_seconds == Counter({"ml.a": 200, "ml.b": 40})
    assert total([]).created == 0


def as_described(answer: dict[str, Any], life: Life) -> dict[str, Any]:
    """Return what a response shows of a life."""
    transitions = answer["SecondaryStatusTransitions"]
    pool = answer.get("WarmPoolStatus", {})
    ended = answer["TrainingJobStatus"] in TERMINAL
    return {
        "status": answer["TrainingJobStatus"] if ended else None,
        "spot": answer.get("EnableManagedSpotTraining", False),
        "training_seconds": answer.get("TrainingTimeInSeconds"),
        "billable_seconds": answer.get("BillableTimeInSeconds"),
        "interruptions": sum(entry["Status"] == "Interrupted" for entry in transitions),
        "retained_seconds": pool.get("ResourceRetainedBillableTimeInSeconds"),
        "reused": pool.get("Status") == "Reused",
        "duration": round(transitions[-1]["EndTime"] - life.created, 3) if ended else None,
        "phases": tuple(
            (entry["Status"], round(entry["EndTime"] - entry["StartTime"], 3))
            for entry in transitions
            if "EndTime" in entry
        ),
        "instances": instances(answer),
    }


def instances(answer: dict[str, Any]) -> dict[str, int]:
    config = answer.get("ResourceConfig", {})
    counts = Counter[str]()
    for group in config.get("InstanceGroups", ()):
        counts[group["InstanceType"]] += group["InstanceCount"]
    if kind := config.get("SelectedInstanceType", config.get("InstanceType")):
        counts[kind] = config.get("SelectedInstanceCount", config.get("InstanceCount"))
    return dict(counts)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.one_of(st.just(math.inf), st.floats(0, 2)))
def test_truth_is_what_the_api_says(shape: str, seed: int, share: float) -> None:
    for life in SHAPES[shape](Casting(seeded(seed), 1_700_000_000.25)):
        now = life.end + 10**6 if math.isinf(share) else life.created + share * (life.end - life.created)
        truth = expected(life, now)
        read = as_described(describe(life, now), life)
        if life.selected and not any(entry[0] == "Starting" for entry in truth.phases):
            del read["instances"]  # nothing is selected yet
        assert {name: getattr(truth, name) for name in read} == read
        if math.isinf(share):
            assert truth == expected(life)
