"""Test how jobs are filtered and sorted by team, type, reason and cost, also by what no job has now."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.training.cost import Rate, Rates
from exporter.training.failures import FAILURE_CATEGORIES, FAILURE_DETAILS
from exporter.training.job import STATUSES, Instances, WarmPool
from exporter.training.stops import STOP_CAUSES
from exporter.training.waiting import WAITING_REASONS
from exporter.web.page import JobQuery, Query, ShownJob, Status
from tests.http.fakes import NOW, status
from tests.http.pages import job, phases
from tests.http.parsed import shown

P4D, G5 = "ml.p4d.24xlarge", "ml.g5.xlarge"
RATES: Rates = {(type_, "spot_training"): Rate(Fraction(price), "USD") for type_, price in ((P4D, 25), (G5, 1))}


def fleet() -> Status:
    """Return jobs that differ in team, type, reason and cost; the newest first."""
    waiting = {"secondary_status": "Starting", "started": None, "waiting": "insufficient_capacity"}
    failed = {"status": "Failed", "failure_category": "AlgorithmError", "failure_detail": "memory_or_disk"}
    jobs = (
        job(1, name="cheap", instances=(Instances(G5, "", 1),), tags=(("team", "vision"),)),
        job(2, name="dear", tags=(("team", "language"),)),
        job(3, name="waits", created=NOW - 9000, cost_tags=(("team", "vision"),), **waiting),
        job(4, name="waits-less", created=NOW - 5000, **waiting | {"waiting": "pending"}),
        job(5, name="failed", ended=NOW - 60, billable_seconds=7200.0, **failed),
        job(6, name="stopped", status="Stopped", secondary_status="MaxRuntimeExceeded"),
        job(7, name="pool", status="Completed", warm_pool=WarmPool("Available", None, None)),
    )
    return replace(status(*(replace(one, rates=RATES) for one in jobs)), owner_tag="team")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"owner": "vision"}, {"cheap", "waits"}),
        ({"owner": "-"}, {"waits-less", "failed", "stopped", "pool"}),
        ({"owner": "nobody"}, set()),
        ({"type": G5}, {"cheap"}),
        ({"type": "ml.gone.xlarge"}, set()),
        ({"reason": "waiting"}, {"waits", "waits-less"}),
        ({"reason": "waiting:pending"}, {"waits-less"}),
        ({"reason": "failed"}, {"failed"}),
        ({"reason": "failed:AlgorithmError"}, {"failed"}),
        ({"reason": "failed:memory_or_disk"}, {"failed"}),
        ({"reason": "failed:CapacityError"}, set()),
        ({"reason": "stopped:max_runtime"}, {"stopped"}),
        ({"cost": "40"}, {"dear", "failed"}),
        ({"cost": "0"}, {"cheap", "dear", "failed"}),
        ({"cost": "100.01"}, set()),
        ({"pool": "held"}, {"pool"}),
        ({"status": "Deleting"}, set()),
        ({"owner": "vision", "reason": "waiting"}, {"waits"}),
    ],
)
def test_filters(query: dict[str, str], expected: set[str]) -> None:
    page = shown(fleet(), **query)
    assert set(page.names()) == expected
    chosen = {option["value"] for option in page.all("option") if "selected" in option}
    assert chosen == {value for name, value in query.items() if name != "cost"}
    assert [field["value"] for field in page.all("input") if field.get("name") == "cost"] == [query.get("cost", "")]
    # Each filter is said, and one click away from being gone.
    assert page.text.count("✕") == len(query)
    kept = [parse_qs(urlsplit(a["href"]).query) for a in page.all("a") if a["href"].startswith("?")]
    for name in query:
        assert {key: [value] for key, value in query.items() if key != name} in kept


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("", ["cheap", "dear", "waits-less", "waits"]),
        ("cost", ["failed", "dear", "cheap"]),
        ("rate", ["dear", "cheap"]),
        ("waiting", ["waits", "waits-less", "cheap"]),
        ("deadline", ["cheap", "dear"]),
        ("owner", ["dear", "cheap", "waits"]),
        ("type", ["cheap", "dear"]),
        ("reason", ["failed", "stopped", "waits", "waits-less", "cheap"]),
        ("nonsense", ["cheap", "dear"]),
    ],
)
def test_orders(order: str, first: list[str]) -> None:
    assert shown(fleet(), sort=order).names()[: len(first)] == first


def test_the_form_offers_every_status_and_reason_that_a_job_can_have() -> None:
    values = {option["value"] for option in shown(status()).all("option")}
    assert {*STATUSES, "waiting", "failed", "stopped"} <= values
    assert {f"waiting:{reason}" for reason in WAITING_REASONS} <= values
    assert {f"failed:{reason}" for reason in (*FAILURE_CATEGORIES, *FAILURE_DETAILS)} <= values
    assert {f"stopped:{cause}" for cause in STOP_CAUSES} <= values
    assert {"Warping"} <= {option["value"] for option in shown(status(job(status="Warping"))).all("option")}


def test_without_an_allowed_tag_there_are_no_owners() -> None:
    page = shown(replace(fleet(), owner_tag=""))
    assert "owner" not in {select["name"] for select in page.all("select")}
    assert "owner" not in {option["value"] for option in page.all("option")}
    assert "vision" not in page.text
    assert "Owner (team)" in shown(fleet()).text


def test_a_failure_whose_reason_was_not_read_has_no_detail() -> None:
    unread = status(job(status="Failed", failure_category=None))
    assert len(shown(unread, reason="failed").names()) == 1
    assert shown(unread, reason="failed:other").names() == []


def test_equal_pages_are_asked_for_equally() -> None:
    plain = Query()
    for nonsense in (
        {"page": "1"},
        {"page": "x"},
        {"refresh": "5"},
        {"sort": "x"},
        {"cost": "1e5"},
        {"pool": "x"},
        {"z": "1"},
    ):
        assert Query.of(nonsense) == plain
    assert Query.of({"page": "007", "q": "x" * 999}) == Query(page="7", q="x" * 200)
    assert JobQuery.of({"name": "x" * 999, "refresh": "1"}) == JobQuery(name="x" * 200)


def test_a_cost_in_any_currency_sorts_and_unknown_ones_come_last() -> None:
    yuan: Rates = {(P4D, "spot_training"): Rate(Fraction(100), "CNY")}
    bar = phases(("Training", 3600.0))
    jobs = (
        ShownJob(job(name="unknown", transitions=bar).job),
        ShownJob(job(name="yuan", transitions=bar).job, rates=yuan),
        ShownJob(job(name="free", transitions=bar).job, rates={(P4D, "spot_training"): Rate(Fraction(0), "USD")}),
    )
    assert shown(status(*jobs), sort="cost").names() == ["yuan", "free", "unknown"]
