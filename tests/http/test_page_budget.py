"""Test that a page of 10,000 jobs costs little: what is exact or detailed is computed for the rows of one page only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from types import FrameType

import pytest

from exporter.training.cost import Rate, Rates
from exporter.training.job import Transition
from exporter.web.page import JobStatus, Query, Status, render, render_job
from tests.http.fakes import NOW
from tests.http.pages import job, ordinary

JOBS = 10_000
RATES: Rates = {("ml.p4d.24xlarge", "spot_training"): Rate(Fraction(25), "USD")}


def many() -> Status:
    """Return a status with many jobs, nine of ten active, each of which waited for two minutes."""
    jobs = []
    for number in range(JOBS):
        created = NOW - 4000 - number
        one = job(
            number,
            status="InProgress" if number % 10 else "Completed",
            started=created + 120,
            transitions=(Transition("Starting", created, created + 120), Transition("Training", created + 120, None)),
            max_runtime_seconds=86_400.0,
            tags=(("team", f"t{number % 20}"),),
        )
        jobs.append(replace(one, rates=RATES))
    return replace(ordinary(0), jobs=jobs, owner_tag="team", measures_gpus=True)


def calls(work: Callable[[], object]) -> int:
    """Return the number of calls of Python functions, which unlike seconds does not depend on the machine."""
    number = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal number
        number += event == "call"

    work()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return number


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "a_job"),
    [
        (Query(), 12),
        (Query(q="x", status="InProgress", type="ml.p4d.24xlarge", owner="t1"), 8),
        (Query(sort="cost"), 35),
        (Query(cost="1", sort="rate"), 45),
        (Query(sort="deadline"), 30),
        (Query(sort="reason", reason="waiting"), 12),
    ],
    ids=lambda value: "" if isinstance(value, int) else value.link(),
)
def test_a_page_of_many_jobs_takes_a_few_calls_a_job(query: Query, a_job: int) -> None:
    status = many()
    assert calls(lambda: render(status, query)) < a_job * JOBS


def test_the_page_of_a_job_does_not_depend_on_the_others() -> None:
    status = many()
    one = status.jobs[0]
    shown = JobStatus("1", status.now, one.job.account, one.job.region, one.job.name, one)
    assert calls(lambda: render_job(shown)) < 5_000
