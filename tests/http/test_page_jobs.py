"""Test the jobs on the status page: their content, selection and order."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.fakes import NOW, status
from tests.http.pages import job, ordinary
from tests.http.parsed import shown


def test_a_running_job() -> None:
    text = shown(status(job())).text
    assert "▶ InProgress Training changed 10 s ago" in text
    assert "1 h 6 min ago training began 1 h ago" in text
    assert "deadline in 2 h" in text
    assert "2 ml.p4d.24xlarge, spot" in text
    assert "Starting 2 min · Downloading 1 min · Training 57 min" in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "Completed", "secondary_status": "Completed", "ended": NOW - 60}, "✓ Completed not settled yet"),
        ({"status": "Failed", "ended": NOW - 60, "settled": True}, "✗ Failed"),
        ({"status": "Failed", "failure_category": "ClientError", "settled": True}, "✗ Failed ClientError Training"),
        ({"status": "Stopped", "settled": True}, "◼ Stopped"),
        ({"status": "Deleting", "secondary_status": "Stopped"}, "◼ Deleting Stopped not settled yet"),
        ({"status": "Paused"}, "? Paused"),
        ({"max_runtime_seconds": 3420.0}, "deadline passed 1 min ago"),
        ({"max_runtime_seconds": None}, "no deadline known"),
        ({"transitions": ()}, "none yet"),
        ({"spot": False, "instances": ()}, "unknown, on demand"),
        ({"spot": None}, "2 ml.p4d.24xlarge no bill yet Starting"),
        ({"created": None, "started": None, "modified": None}, "▶ InProgress Training unknown no deadline known"),
    ],
)
def test_other_jobs(fields: dict[str, object], expected: str) -> None:
    assert expected in shown(status(job(0, **fields))).text


def test_active_jobs_come_first_then_the_newest() -> None:
    ended = (job(3, status="Failed"), job(1, status="Completed"), job(5, status="Deleting"))
    jobs = (*ended, job(2), job(4, created=None), job(0))
    names = [f"job-{number:05}" for number in (0, 2, 4, 1, 3, 5)]
    assert shown(status(*jobs)).names() == names


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "00007"}, ["job-00007"]),
        ({"q": "JOB-0001"}, [f"job-000{n}" for n in range(10, 20)]),
        ({"status": "Paused", "region": "us-east-1"}, ["job-00013", "job-00027"]),
        ({"account": "123456789012", "q": "00001"}, ["job-00001"]),
        ({"account": "999999999999"}, []),
        ({"region": "<script>"}, []),
    ],
)
def test_filters(query: dict[str, str], expected: list[str]) -> None:
    page = shown(ordinary(30), **query)
    assert sorted(page.names()) == expected
    assert f"{len(expected)} of {len(expected)} jobs shown, 30 tracked" in page.text
    chosen = {attributes["value"] for attributes in page.all("option") if "selected" in attributes}
    assert chosen == {value for key, value in query.items() if key != "q"}
    assert next(a["value"] for a in page.all("input") if a["name"] == "q") == query.get("q", "")


def test_two_hundred_jobs_a_page() -> None:
    status = ordinary(450)
    seen: list[str] = []
    for number in (1, 2, 3):
        page = shown(status, page=str(number))
        seen += page.names()
        assert f"page {number} of 3" in page.text
    assert len(seen) == len(set(seen)) == 450
    assert "200 of 450 jobs shown" in shown(status).text


@pytest.mark.parametrize(
    ("asked", "given"),
    [("0", 1), ("-1", 1), ("x", 1), ("", 1), ("²", 1), ("2", 2), ("99", 3), ("9" * 5000, 1), ("9" * 7, 3)],
)
def test_any_page_that_is_asked_for_is_one_there_is(asked: str, given: int) -> None:
    assert f"page {given} of 3" in shown(ordinary(450), page=asked).text


def test_the_links_to_other_pages_keep_the_filters() -> None:
    page = shown(ordinary(900), q="job & <0>", page="1")
    assert page.names() == []
    page = shown(ordinary(900), q="job-0", region="us-east-1", page="2")
    links = {a["href"] for a in page.all("a") if "page=" in a["href"]}
    assert {parse_qs(urlsplit(link).query)["page"][0] for link in links} == {"1", "3"}
    for link in links:
        assert parse_qs(urlsplit(link).query)["q"] == ["job-0"]
        assert parse_qs(urlsplit(link).query)["region"] == ["us-east-1"]


def test_a_long_filter_is_kept_whole_in_the_links() -> None:
    name = "é" * 200
    page = shown(status(*(job(name=name, created=NOW - n) for n in range(201))), q=name)
    (link,) = {a["href"] for a in page.all("a") if "page=" in a["href"]}
    assert parse_qs(urlsplit(link).query)["q"] == [name]


def test_links_lead_to_the_endpoints_and_the_console() -> None:
    jobs = (job(1), job(2, region="cn-north-1"), job(3, region="us-gov-west-1"))
    page = shown(replace(ordinary(0), jobs=jobs, telemetry_path="/sm/metrics"))
    links = {a["href"] for a in page.all("a")}
    assert {"sm/metrics", "healthz", "readyz"} <= links
    assert "https://console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/job-00001" in links
    assert "https://console.amazonaws.cn/sagemaker/home?region=cn-north-1#/jobs/job-00002" in links
    assert "https://console.amazonaws-us-gov.com/sagemaker/home?region=us-gov-west-1#/jobs/job-00003" in links
