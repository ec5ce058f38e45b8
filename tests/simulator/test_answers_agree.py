"""Test that the responses about a job agree with each other: earlier with later ones, and those of all operations."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.answers import describe, search_record, summary
from exporter.simulator.shapes import SHAPES
from tests.simulator.test_answers import TERMINAL, base, lives


def test_the_index_of_search_lags_behind() -> None:
    life = base(tags={"team": "vision"})
    assert search_record(life, 1112, lag=5)["TrainingJobStatus"] == "InProgress"
    assert search_record(life, 1112)["TrainingJobStatus"] == "Completed"
    assert search_record(life, 1112)["Tags"] == [{"Key": "team", "Value": "vision"}]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(0, 10**6), st.lists(st.floats(-0.05, 1.5), min_size=2, max_size=8))
def test_time_only_moves_forward(shape: str, seed: int, shares: list[float]) -> None:
    for life in lives(shape, seed):
        lasts = life.end + 4000 - life.created
        answers = [describe(life, life.created + share * lasts) for share in sorted(shares)]
        for earlier, later in pairwise(answers):
            if earlier["TrainingJobStatus"] in TERMINAL:
                assert later["TrainingJobStatus"] == earlier["TrainingJobStatus"]
                assert later["SecondaryStatus"] == earlier["SecondaryStatus"]
            for name in ("TrainingTimeInSeconds", "BillableTimeInSeconds", "LastModifiedTime"):
                assert later.get(name, math.inf) >= earlier.get(name, 0) or name not in earlier
            assert set(earlier) - {"WarmPoolStatus"} <= set(later)
            then, now = earlier["SecondaryStatusTransitions"], later["SecondaryStatusTransitions"]
            assert now[: len(then) - 1] == then[:-1]
            assert [entry["Status"] for entry in now[: len(then)]] == [entry["Status"] for entry in then]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(0, 10**6), st.floats(0, 1.5))
def test_summary_and_search_agree_with_describe(shape: str, seed: int, share: float) -> None:
    for life in lives(shape, seed):
        now = life.created + share * (life.end - life.created)
        described = describe(life, now)
        for other in (summary(life, now), search_record(life, now)):
            for name, value in other.items():
                if name not in ("Tags", "TrainingPlanArn"):
                    assert described[name] == value
