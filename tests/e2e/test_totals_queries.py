"""The exact queries of docs/totals.md, asked of a real Prometheus that scraped for weeks, over a restart."""

from __future__ import annotations

import asyncio
import re
import statistics
from bisect import bisect_left
from pathlib import Path

import pytest

from tests.conftest import PrometheusFactory
from tests.e2e.totals_answers import (
    ANSWERS,
    BOUNDS,
    OF_THE_MOMENT,
    Case,
    asked,
    nonzero,
    queries,
    vector,
    waits,
)
from tests.e2e.totals_history import DOWN, END, NOVEMBER, OCTOBER, PRICES, STEP, UNSEEN, History, record
from tests.polling.simulated import HOUR
from tests.prometheus import Prometheus, scraping

QUERIES = queries()
# A month in which everything began, one with a restart in it, one that is asked for while the exporter is down, and a
# time that begins while Prometheus was.
TIMES = ((OCTOBER, NOVEMBER), (NOVEMBER, END), (NOVEMBER, DOWN[1] - 2 * HOUR), (UNSEEN[0] + 3 * HOUR, END))
# Each job is rounded to a billionth of a dollar.
CENTS = 1e-6
COST = "sagemaker_training_cost_total"


def test_every_query_of_the_document_has_an_answer_to_compare_with() -> None:
    assert set(QUERIES) == set(ANSWERS)


@pytest.mark.long
async def test_every_query_answers_what_the_schedule_says(prometheus: PrometheusFactory, tmp_path: Path) -> None:
    names = {name for query in QUERIES.values() for name in re.findall(r"sagemaker_\w+", query)}
    history = await asyncio.to_thread(record, tmp_path, names | {name.removesuffix("_bucket") for name in names})
    async with prometheus(scraping(), "--storage.tsdb.retention.time=100y") as server:
        for start, end in TIMES:
            # What Prometheus can know: a gap at the start is part of the queried range.
            case = Case(history.lives, history.seen(start), history.seen(end), PRICES)
            for title, query in QUERIES.items():
                if (start, end) != TIMES[1] and title in OF_THE_MOMENT:
                    continue
                due = nonzero(ANSWERS[title](case))
                assert due, f"{title}: there is nothing to see"
                got = vector(await server.query(asked(query, end - start), end))
                assert got == pytest.approx(due, rel=1e-9, abs=CENTS), f"{title}, {(end - start) / 86400} days"
            _assert_the_median_is_in_its_bucket(case)
            if (start, end) == TIMES[1]:
                await _assert_increase_goes_astray(server, case)
        await _assert_the_month_begins_at_midnight(server, history)


def _assert_the_median_is_in_its_bucket(case: Case) -> None:
    """Check the estimated median, which is as accurate as the buckets."""
    (estimate,) = ANSWERS["Median wait for capacity"](case).values()
    exact = statistics.median(waits(case))
    assert bisect_left(BOUNDS, estimate) == bisect_left(BOUNDS, exact)


async def _assert_the_month_begins_at_midnight(server: Prometheus, history: History) -> None:
    title = "This month, without Grafana"
    for start, end in ((OCTOBER, NOVEMBER - STEP), (NOVEMBER, NOVEMBER), (NOVEMBER, NOVEMBER + STEP)):
        due = nonzero(ANSWERS[title](Case(history.lives, history.seen(start), end, PRICES)))
        got = vector(await server.query(QUERIES[title], end))
        assert got == pytest.approx(due, rel=1e-9, abs=CENTS), end


async def _assert_increase_goes_astray(server: Prometheus, case: Case) -> None:
    """What the document says of increase(), on a type whose first job came with its bill in one scrape."""
    series = f'{COST}{{instance_type="ml.p5.48xlarge"}}'
    (found,) = await server.query(f"sum(increase({series}[{case.end - case.start:.0f}s]))", case.end)
    due = case.spent()["ml.p5.48xlarge"]
    assert found.value != pytest.approx(due, rel=0.05)
