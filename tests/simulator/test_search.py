"""Test Search: every operator, nesting, orders, pages, and the lag of its index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator.errors import ApiError
from exporter.simulator.generator import steady
from exporter.simulator.life import Ending, Metric
from exporter.simulator.search import search
from exporter.simulator.store import Consistency, Jobs

START = 1_700_000_000.0  # 2023-11-14T22:13:20Z
NOW = START + 1000


def jobs() -> Jobs:
    """Return five jobs, ten seconds apart: the odd ones run on, the even ones end after 150 seconds."""
    found = Jobs()
    for number, life in enumerate(steady(5, START, "job", seconds=60)):
        found.add(
            replace(
                life,
                created=START + 10 * number,
                ending=None if number % 2 else Ending("Completed", "Completed", ""),
                tags={"team": f"team-{number}", "a.b": "dotted"},
                metrics=(Metric("loss", 9.0), Metric("loss", number / 10)),
                spec={
                    **life.spec,
                    "HyperParameters": {"epochs": str(number), "name": f"n{number}"},
                    "EnableManagedSpotTraining": number == 3,
                },
            )
        )
    return found


def ask(now: float = NOW, lag: float = 0.0, **request: Any) -> dict[str, Any]:
    return search({"Resource": "TrainingJob", **request}, jobs(), now, Consistency(search_lag=lag))


def found(*filters: tuple[str, ...], now: float = NOW, **expression: Any) -> list[int]:
    """Return the numbers of the jobs that match the filters, in order of creation."""
    entries = [dict(zip(("Name", "Operator", "Value"), entry, strict=False)) for entry in filters]
    request = {"Filters": entries, **expression}
    answer = ask(now, SearchExpression=request, SortBy="CreationTime", SortOrder="Ascending", MaxResults=100)
    assert answer["TotalHits"] == {"Value": len(answer["Results"]), "Relation": "EqualTo"}
    return [int(entry["TrainingJob"]["TrainingJobName"][-2:]) for entry in answer["Results"]]


@pytest.mark.parametrize(
    ("filter_", "numbers"),
    [
        (("TrainingJobStatus", "Equals", "InProgress"), [1, 3]),
        (("TrainingJobStatus", "NotEquals", "InProgress"), [0, 2, 4]),
        (("TrainingJobStatus", "In", "InProgress, Stopping"), [1, 3]),
        (("SecondaryStatus", "Equals", "Completed"), [0, 2, 4]),
        (("TrainingJobName", "Contains", "00003"), [3]),
        (("CreationTime", "GreaterThan", "2023-11-14T22:13:40Z"), [3, 4]),
        (("CreationTime", "GreaterThanOrEqualTo", "2023-11-14T22:13:40"), [2, 3, 4]),
        (("CreationTime", "LessThan", "2023-11-14T23:13:40+01:00"), [0, 1]),
        (("CreationTime", "LessThanOrEqualTo", "2023-11-14T22:13:40.000Z"), [0, 1, 2]),
        (("LastModifiedTime", "GreaterThan", "2023-11-14T22:16:10Z"), [2, 4]),
        (("TrainingEndTime", "LessThan", "2023-11-14T22:16:10Z"), [0]),
        (("TrainingStartTime", "Exists", ""), [0, 1, 2, 3, 4]),
        (("TrainingEndTime", "NotExists"), [1, 3]),
        (("HyperParameters.epochs", "GreaterThan", "2.5"), [3, 4]),
        (("HyperParameters.name", "GreaterThan", "1"), []),
        (("HyperParameters.none", "Contains", "x"), []),
        (("HyperParameters.epochs.deeper", "Exists", ""), []),
        (("Tags.team", "Equals", "team-4"), [4]),
        (("Tags.a.b", "Equals", "dotted"), [0, 1, 2, 3, 4]),
        (("Tags.team", "Exists"), [0, 1, 2, 3, 4]),
        (("Metrics.loss", "LessThan", "0.15"), [0, 1]),
        (("Metrics.none", "LessThan", "0.15"), []),
        (("EnableManagedSpotTraining", "Equals", "true"), [3]),
        (("ResourceConfig.InstanceType", "Equals", "ml.g5.2xlarge"), [0, 1, 2, 3, 4]),
    ],
)
def test_filters(filter_: tuple[str, ...], numbers: list[int]) -> None:
    assert found(filter_) == numbers


def test_equals_is_the_operator_if_none_is_given() -> None:
    answer = ask(SearchExpression={"Filters": [{"Name": "Tags.team", "Value": "team-1"}]})
    assert answer["TotalHits"]["Value"] == 1


def test_and_or_and_nesting() -> None:
    running = ("TrainingJobStatus", "Equals", "InProgress")
    late = ("CreationTime", "GreaterThan", "2023-11-14T22:13:45Z")
    assert found(running, late) == [3]
    assert found(running, late, Operator="Or") == [1, 3, 4]
    first = {"Filters": [{"Name": "Tags.team", "Operator": "In", "Value": "team-0,team-1"}]}
    assert found(running, SubExpressions=[first]) == [1]
    assert found(running, SubExpressions=[first], Operator="Or") == [0, 1, 3]
    assert found(Operator="Or") == [0, 1, 2, 3, 4]


def test_newest_modification_first_and_pages() -> None:
    pages: list[list[float]] = []
    token: dict[str, Any] = {}
    while True:
        answer = ask(MaxResults=2, **token)
        pages.append([entry["TrainingJob"]["LastModifiedTime"] for entry in answer["Results"]])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    times = [time for page in pages for time in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert times == sorted(times, reverse=True)


def test_order_by_text_and_by_what_some_do_not_have() -> None:
    def ordered(sort_by: str) -> list[str]:
        answer = ask(SortBy=sort_by, SortOrder="Ascending")
        return [entry["TrainingJob"]["TrainingJobName"][-1] for entry in answer["Results"]]

    assert ordered("Tags.team") == ["0", "1", "2", "3", "4"]
    assert ordered("TrainingEndTime") == ["0", "2", "4", "1", "3"]


def test_the_index_lags() -> None:
    now = START + 12
    assert [entry["TrainingJob"]["TrainingJobName"] for entry in ask(now, lag=5)["Results"]] == ["job-000000"]
    assert len(ask(now)["Results"]) == 2
    running = {"Filters": [{"Name": "TrainingJobStatus", "Value": "InProgress"}]}
    assert ask(START + 152, lag=5, SearchExpression=running)["TotalHits"]["Value"] == 5
    assert ask(START + 152, SearchExpression=running)["TotalHits"]["Value"] == 4


def test_deleted_jobs_stay_in_the_index_for_its_lag() -> None:
    all_jobs = jobs()
    first = all_jobs.all()[0]
    all_jobs.replace(first, replace(first, deleted=NOW))
    for after, count in ((4, 5), (5, 4)):
        answer = search({"Resource": "TrainingJob"}, all_jobs, NOW + after, Consistency(search_lag=5))
        assert answer["TotalHits"]["Value"] == count


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"Resource": "Experiment"}, "resource"),
        ({"Resource": None}, "Resource is required"),
        ({"MaxResults": 101}, "maxResults"),
        ({"SortOrder": "Up"}, "sortOrder"),
        ({"NextToken": "?"}, "Invalid NextToken"),
        ({"SearchExpression": {"Operator": "Xor"}}, "operator"),
        ({"SearchExpression": {"NestedFilters": [{}]}}, "NestedFilters"),
        ({"SearchExpression": {"Filters": [{"Name": "CreationTime", "Operator": "Like"}]}}, "Unknown operator Like"),
        (
            {"SearchExpression": {"Filters": [{"Name": "CreationTime", "Operator": "LessThan", "Value": "today"}]}},
            "Invalid value 'today' for property CreationTime",
        ),
        (
            {"SearchExpression": {"Filters": [{"Name": "Metrics.x", "Operator": "LessThan", "Value": "many"}]}},
            "Invalid value 'many' for property Metrics.x",
        ),
    ],
)
def test_bad_requests(request_: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ApiError, match=complaint) as caught:
        ask(**request_)
    assert caught.value.code == "ValidationException"
