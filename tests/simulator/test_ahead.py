"""Test a job whose CreationTime is in the future: every operation returns it before that time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.simulator.errors import ApiError
from exporter.simulator.generator import steady
from exporter.simulator.operations import Context, perform
from exporter.simulator.store import Consistency, Jobs
from exporter.simulator.truth import total

START, AHEAD = 1_700_000_000.0, 1800.0
APPEARS = START
CREATED = START + AHEAD


def at(now: float, consistency: Consistency | None = None) -> Context:
    (life,) = steady(1, CREATED, "ahead", seconds=60)
    (usual,) = steady(1, START - 50, "usual", seconds=60)
    jobs = Jobs()
    jobs.add(replace(life, ahead=AHEAD), usual)
    return Context(jobs, "123456789012", "us-east-1", now, consistency or Consistency())


def listed(context: Context, **request: object) -> list[str]:
    answer = perform("ListTrainingJobs", {"SortOrder": "Descending", **request}, context)
    return [job["TrainingJobName"][:5] for job in answer["TrainingJobSummaries"]]


def test_it_is_listed_from_when_it_appears() -> None:
    assert listed(at(APPEARS - 1)) == ["usual"]
    assert listed(at(APPEARS)) == ["ahead", "usual"]
    assert listed(at(APPEARS), CreationTimeAfter=START + AHEAD / 2) == ["ahead"]
    assert listed(at(APPEARS + 4, Consistency(list_delay=5))) == ["usual"]
    assert listed(at(CREATED + 1000)) == ["ahead", "usual"]


def test_the_index_shows_it_too() -> None:
    request = {"Resource": "TrainingJob", "SortBy": "CreationTime"}
    names = [
        [hit["TrainingJob"]["TrainingJobName"][:5] for hit in perform("Search", request, at(now))["Results"]]
        for now in (APPEARS - 1, APPEARS)
    ]
    assert names == [["usual"], ["ahead", "usual"]]


def test_it_is_described_as_one_that_starts() -> None:
    with pytest.raises(ApiError):
        perform("DescribeTrainingJob", {"TrainingJobName": "ahead-000000"}, at(APPEARS - 1))
    answer = perform("DescribeTrainingJob", {"TrainingJobName": "ahead-000000"}, at(APPEARS))
    assert (answer["CreationTime"], answer["TrainingJobStatus"], answer["SecondaryStatus"]) == (
        CREATED,
        "InProgress",
        "Starting",
    )
    assert "EndTime" not in answer["SecondaryStatusTransitions"][0]


def test_it_counts_as_created_from_when_it_appears() -> None:
    lives = at(APPEARS).jobs.all()
    assert [total(lives, now).created for now in (APPEARS - 1, APPEARS, CREATED)] == [1, 2, 2]
    assert total(lives, APPEARS).finished == {}
    assert total(lives).finished == {"Completed": 2}
