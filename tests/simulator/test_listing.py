"""Test ListTrainingJobs: pages, orders, filters and invalid requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator.errors import ApiError
from exporter.simulator.generator import steady
from exporter.simulator.life import Ending, Life, WarmPool
from exporter.simulator.listing import list_training_jobs
from exporter.simulator.store import Consistency, Jobs

START = 1000.0
NOW = 10_000.0


def jobs(count: int, **changes: Any) -> Jobs:
    """Return jobs created one second apart: those with even numbers run on, the others have failed."""
    found = Jobs()
    for number, life in enumerate(steady(count, START, "job", seconds=60)):
        ending = Ending("Failed", "Failed", "") if number % 2 else None
        found.add(replace(life, created=START + number, ending=ending, **changes))
    return found


def ask(listed: Jobs, now: float = NOW, consistency: Consistency | None = None, **request: Any) -> dict[str, Any]:
    return list_training_jobs(request, listed, now, consistency or Consistency())


def walk(listed: Jobs, **request: Any) -> list[list[str]]:
    """Return the names on each page."""
    pages: list[list[str]] = []
    token: dict[str, Any] = {}
    while True:
        answer = ask(listed, **request, **token)
        pages.append([entry["TrainingJobName"] for entry in answer["TrainingJobSummaries"]])
        if "NextToken" not in answer:
            return pages
        token = {"NextToken": answer["NextToken"]}


def names(listed: Jobs, **request: Any) -> list[str]:
    return [name for page in walk(listed, **request) for name in page]


def named(*numbers: int) -> list[str]:
    return [f"job-{number:06d}" for number in numbers]


def test_ten_a_page_oldest_first_unless_asked_otherwise() -> None:
    assert [len(page) for page in walk(jobs(25))] == [10, 10, 5]
    assert names(jobs(25)) == named(*range(25))


def test_at_most_a_hundred_a_page_and_no_token_after_the_last() -> None:
    assert [len(page) for page in walk(jobs(200), MaxResults=100)] == [100, 100]


def test_no_jobs() -> None:
    assert ask(Jobs()) == {"TrainingJobSummaries": []}


@pytest.mark.parametrize("sort_by", ["CreationTime", "Name", "Status"])
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_every_order_shows_every_job_once(sort_by: str, order: str) -> None:
    found = names(jobs(23), SortBy=sort_by, SortOrder=order, MaxResults=4)
    assert sorted(found) == named(*range(23))
    failed_first = named(*range(1, 23, 2), *range(0, 23, 2))
    expected = failed_first if sort_by == "Status" else named(*range(23))
    assert found == (expected if order == "Ascending" else expected[::-1])


def test_status_filters_after_the_page_was_cut() -> None:
    listed = jobs(8)
    pages = walk(listed, StatusEquals="Failed", MaxResults=2)
    assert pages == [named(1), named(3), named(5), named(7)]
    for life in steady(6, START + 100, "newer"):
        listed.add(life)
    pages = walk(listed, StatusEquals="Failed", MaxResults=2, SortOrder="Descending")
    assert pages[:3] == [[], [], []]
    assert pages[3:] == [named(7), named(5), named(3), named(1)]


def test_modification_filters_after_the_page_was_cut() -> None:
    assert walk(jobs(4), LastModifiedTimeAfter=START + 150, MaxResults=2) == [named(1), named(3)]
    assert walk(jobs(4), LastModifiedTimeBefore=START + 100, MaxResults=2) == [named(0), named(2)]


def test_creation_time_and_name_filter_before_the_page_is_cut() -> None:
    assert walk(jobs(9), CreationTimeAfter=START + 2, CreationTimeBefore=START + 7) == [named(3, 4, 5, 6)]
    assert walk(jobs(30), NameContains="-00002") == [named(*range(20, 30))]


def test_warm_pool_status() -> None:
    listed = jobs(4, pool=WarmPool(10**9))
    assert names(listed, WarmPoolStatusEquals="Available") == named(1, 3)
    assert names(listed, WarmPoolStatusEquals="InUse") == named(0, 2)
    assert names(listed, WarmPoolStatusEquals="Reused") == []


def test_training_plan() -> None:
    plan = "arn:aws:sagemaker:us-east-1:123456789012:training-plan/p5"
    listed = jobs(2)
    (life,) = steady(1, START + 50, "planned")
    listed.add(replace(life, spec={**life.spec, "ResourceConfig": {"TrainingPlanArn": plan}}))
    assert names(listed, TrainingPlanArnEquals=plan) == ["planned-000000"]
    assert ask(listed, NameContains="planned")["TrainingJobSummaries"][0]["TrainingPlanArn"] == plan


def test_jobs_to_come_and_jobs_that_are_gone_do_not_show() -> None:
    listed = jobs(3)
    listed.add(*steady(1, NOW + 1, "future"))
    (first, *_) = listed.all()
    listed.replace(first, replace(first, deleted=NOW - 5, deleting_seconds=5))
    assert names(listed) == named(1, 2)


def test_new_jobs_may_show_late() -> None:
    late = Consistency(list_delay=5)
    assert len(ask(jobs(3), now=START + 2, consistency=late)["TrainingJobSummaries"]) == 0
    assert len(ask(jobs(3), now=START + 6, consistency=late)["TrainingJobSummaries"]) == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(1, 100), st.booleans(), st.integers(0, 3))
def test_a_walk_while_jobs_arrive_misses_none_that_was_there(
    count: int, size: int, descending: bool, arriving: int
) -> None:
    listed = jobs(count)
    order = "Descending" if descending else "Ascending"
    seen: list[str] = []
    token: dict[str, Any] = {}
    for number in range(200):
        answer = ask(listed, SortOrder=order, MaxResults=size, **token)
        seen += [entry["TrainingJobName"] for entry in answer["TrainingJobSummaries"]]
        if number < 5:
            listed.add(*(life for life in steady(arriving, NOW - 10 + number, f"new{number}")))
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert len(set(seen)) == len(seen)
    assert set(named(*range(count))) <= set(seen)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"MaxResults": 0}, "'maxResults' failed to satisfy constraint: Member must have value greater than or equal"),
        ({"MaxResults": 101}, "Value '101' at 'maxResults'.*less than or equal to 100"),
        ({"MaxResults": "7"}, "maxResults"),
        ({"SortBy": "Age"}, r"'sortBy'.*enum value set: \[Name, CreationTime, Status\]"),
        ({"SortOrder": "Up"}, "sortOrder"),
        ({"StatusEquals": "Running"}, "statusEquals"),
        ({"WarmPoolStatusEquals": "Cold"}, "warmPoolStatusEquals"),
        ({"NextToken": "no such token"}, "Invalid NextToken"),
        ({"NextToken": "AAAA"}, "Invalid NextToken"),
        ({"NextToken": "MQ=="}, "Invalid NextToken"),
    ],
)
def test_bad_requests(request_: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ApiError, match=complaint) as caught:
        ask(jobs(1), **request_)
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)


def test_a_token_of_another_order_is_refused() -> None:
    token = ask(jobs(20))["NextToken"]
    with pytest.raises(ApiError, match="Invalid NextToken"):
        ask(jobs(20), NextToken=token, SortBy="Name")


def test_a_deleted_name_may_be_used_again() -> None:
    listed = jobs(1)
    (old,) = listed.all()
    listed.replace(old, replace(old, deleted=2000.0))
    assert listed.find(old.name, 2500) is None
    new: Life = replace(old, created=3000.0, deleted=float("inf"))
    listed.add(new)
    assert listed.find(old.name, 1500) == replace(old, deleted=2000.0)
    assert listed.find(old.name, 3500) == new
    assert len(listed.all()) == 2
