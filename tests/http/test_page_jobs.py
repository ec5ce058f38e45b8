"""Test the jobs on the status page: their content, selection and order."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.training.cost import Rate
from exporter.training.job import WarmPool
from tests.http.fakes import NOW, status
from tests.http.pages import job, ordinary
from tests.http.parsed import shown


def test_a_running_job() -> None:
    text = shown(status(job())).text
    assert "▶ InProgress · Training created 1 h 6 min ago" in text
    assert "deadline in 2 h" in text
    assert "2 ml.p4d.24xlarge, spot" in text
    assert "Starting 2 min · Downloading 1 min · Training 57 min" in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "Completed", "secondary_status": "Completed", "ended": NOW - 60}, "✓ Completed not settled yet"),
        ({"status": "Failed", "ended": NOW - 60, "settled": True}, "✗ Failed"),
        (
            {"status": "Failed", "failure_category": "ClientError", "settled": True},
            "✗ Failed · Training failed: ClientError",
        ),
        ({"status": "Stopped", "settled": True}, "◼ Stopped"),
        ({"status": "Stopped", "secondary_status": "MaxRuntimeExceeded"}, "MaxRuntimeExceeded stopped: max runtime"),
        ({"status": "Deleting", "secondary_status": "Stopped"}, "◼ Deleting · Stopped stopped: user not settled yet"),
        ({"status": "Paused"}, "? Paused"),
        ({"max_runtime_seconds": 3420.0}, "deadline passed 1 min ago"),
        ({"max_runtime_seconds": None}, "no deadline known"),
        ({"transitions": ()}, "none yet"),
        ({"spot": False}, "2 ml.p4d.24xlarge, on demand no bill yet"),
        ({"spot": False, "instances": (), "started": None}, "no deadline known unknown no bill yet"),
        ({"instances": ()}, "serverless billed by tokens"),
        ({"spot": None}, "2 ml.p4d.24xlarge no bill yet Starting"),
        ({"created": None, "started": None}, "▶ InProgress · Training created unknown no deadline known"),
        (
            {"secondary_status": "Starting", "started": None, "waiting": "insufficient_capacity"},
            "▶ InProgress · Starting waiting for 1 h 6 min: insufficient capacity created",
        ),
        (
            {"secondary_status": "Starting", "started": None, "waiting": "other"},
            "▶ InProgress · Starting waiting for 1 h 6 min created",
        ),
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
    assert next(a["value"] for a in page.all("input") if a.get("name") == "q") == query.get("q", "")


def test_fifty_jobs_a_page() -> None:
    status = ordinary(120)
    seen: list[str] = []
    for number in (1, 2, 3):
        page = shown(status, page=str(number))
        seen += page.names()
        assert f"page {number} of 3" in page.text
    assert len(seen) == len(set(seen)) == 120
    assert "50 of 120 jobs shown" in shown(status).text


@pytest.mark.parametrize(
    ("asked", "given"),
    [("0", 1), ("-1", 1), ("x", 1), ("", 1), ("²", 1), ("2", 2), ("99", 3), ("9" * 5000, 1), ("9" * 7, 3)],
)
def test_any_page_that_is_asked_for_is_one_there_is(asked: str, given: int) -> None:
    assert f"page {given} of 3" in shown(ordinary(120), page=asked).text


def test_the_links_to_other_pages_keep_the_filters() -> None:
    page = shown(ordinary(200), q="job & <0>", page="1")
    assert page.names() == []
    page = shown(ordinary(300), q="job-0", region="us-east-1", page="2")
    links = {a["href"] for a in page.all("a") if "page=" in a["href"] and "refresh" not in a["href"]}
    assert {parse_qs(urlsplit(link).query)["page"][0] for link in links} == {"1", "3"}
    for link in links:
        assert parse_qs(urlsplit(link).query)["q"] == ["job-0"]
        assert parse_qs(urlsplit(link).query)["region"] == ["us-east-1"]


def test_a_long_filter_is_kept_whole_in_the_links() -> None:
    name = "é" * 200
    page = shown(status(*(job(name=name, created=NOW - n) for n in range(51))), q=name)
    (link,) = {a["href"] for a in page.all("a") if "page=" in a["href"]}
    assert parse_qs(urlsplit(link).query)["q"] == [name]


def test_links_lead_to_the_endpoints_and_to_the_page_of_each_job() -> None:
    page = shown(replace(ordinary(0), jobs=(job(1), job(name="a&b=ü")), telemetry_path="/sm/metrics"))
    links = {a["href"] for a in page.all("a")}
    assert {"sm/metrics", "healthz", "readyz"} <= links
    assert page.names() == ["job-00001", "a&b=ü"][::-1]
    assert page.rows[1] == "job?account=123456789012&region=us-east-1&name=job-00001"


def test_a_job_that_holds_a_warm_pool_says_so_with_its_cost() -> None:
    rates = {("ml.p4d.24xlarge", "warm_pool"): Rate(Fraction("25.25"), "USD")}
    pool: dict[str, object] = {
        "status": "Completed",
        "secondary_status": "Completed",
        "ended": NOW - 600,
        "keep_alive_seconds": 1800.0,
        "warm_pool": WarmPool("Available", None, None),
    }
    kept = job(1, **pool)
    text = shown(status(replace(kept, rates=rates))).text
    assert "✓ Completed holds a warm pool, $50.50 per hour, ends in 20 min at the latest" in text
    assert "holds a warm pool, no price, ends in 20 min at the latest" in shown(status(kept)).text
    without = job(1, **pool | {"keep_alive_seconds": None})
    assert "holds a warm pool, no price not settled" in shown(status(without)).text
    reused = job(1, **pool | {"warm_pool": WarmPool("Reused", 60.0, "job-2")})
    assert "holds" not in shown(status(reused)).text


def test_the_page_refreshes_itself_when_asked_to_and_keeps_the_filters() -> None:
    page = shown(ordinary(120), status="Failed", page="2")
    assert [a for a in page.all("meta") if "http-equiv" in a] == []
    (link,) = [a["href"] for a in page.all("a") if "refresh=" in a["href"]]
    query = {key: value for key, (value,) in parse_qs(urlsplit(link).query).items()}
    assert query == {"status": "Failed", "page": "2", "refresh": "30"}
    page = shown(ordinary(120), **query)
    assert [a["content"] for a in page.all("meta") if a.get("http-equiv") == "refresh"] == ["30"]
    assert [a["value"] for a in page.all("input") if a.get("name") == "refresh"] == ["30"]
    assert "Stop refreshing" in page.text
    assert shown(ordinary(1), refresh="0").all("meta") == shown(ordinary(1)).all("meta")
