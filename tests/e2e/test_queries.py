"""The short queries of docs/queries.md, asked of a real Prometheus that scraped for weeks, over a restart."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.conftest import PrometheusFactory
from tests.deploy.ruleset import RECORDS
from tests.e2e.query_answers import (
    ANSWERS,
    KEPT_BY_A_RULE,
    OF_THE_MOMENT,
    SINCE_THE_BEGINNING,
    idle_pools_per_hour,
)
from tests.e2e.totals_answers import Case, asked, nonzero, queries, vector
from tests.e2e.totals_history import DOWN, END, NOVEMBER, OCTOBER, PRICES, STEP, History, record
from tests.prometheus import ROOT, scraping

DOCUMENT = "docs/queries.md"
QUERIES = queries(DOCUMENT)
# A month in which everything began, one with a restart in it, and the days around the restart.
TIMES = ((OCTOBER, NOVEMBER), (NOVEMBER, END), (DOWN[0] - 12 * STEP, DOWN[1] + 12 * STEP))
# increase() stretches what it saw to the edges of the range: by less than one scrape.
OFF_BY = 0.04


def test_every_query_of_the_document_has_an_answer_to_compare_with() -> None:
    assert set(QUERIES) == {*ANSWERS, *KEPT_BY_A_RULE}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_has_at_most_two_lines(title: str) -> None:
    assert len(QUERIES[title].splitlines()) <= 2


@pytest.mark.parametrize("document", [DOCUMENT, "docs/totals.md", "README.md"])
def test_the_recorded_series_that_a_document_names_are_recorded(document: str) -> None:
    named = set(re.findall(r"\w+:sagemaker_\w+:\w+", (ROOT / document).read_text()))
    assert named
    assert named <= RECORDS.keys()


async def test_every_query_answers_what_the_schedule_says(prometheus: PrometheusFactory, tmp_path: Path) -> None:
    raw = {name for query in QUERIES.values() for name in re.findall(r"(?<!:)\b(sagemaker_\w+)\b(?!:)", query)}
    named = {record for query in QUERIES.values() for record in re.findall(r"\w+:sagemaker_\w+:\w+", query)}
    raw |= {name for record in named for name in re.findall(r"(?<!:)\b(sagemaker_\w+)\b", RECORDS[record]["expr"])}
    history = await asyncio.to_thread(record, tmp_path, raw | {name.removesuffix("_bucket") for name in raw})
    async with prometheus(scraping(), "--storage.tsdb.retention.time=100y") as server:
        for title, query in QUERIES.items():
            for start, end in _times(history, title):
                case = Case(history.lives, history.seen(start), history.seen(end), PRICES)
                due = nonzero(ANSWERS[title](case))
                assert due, f"{title}: there is nothing to see"
                got = vector(await server.query(asked(query, end - start), end))
                assert got == pytest.approx(due, rel=OFF_BY), f"{title}, {(end - start) / 86400} days"


def _times(history: History, title: str) -> list[tuple[float, float]]:
    """What is asked of a moment is asked when there is something to see, also while a warm pool waits after its job."""
    if title in KEPT_BY_A_RULE:
        return []
    if title not in OF_THE_MOMENT:
        return [TIMES[0]] if title in SINCE_THE_BEGINNING else [*TIMES]
    whens = [scrape for scrape in history.scrapes if scrape > DOWN[1]]
    cases = [Case(history.lives, NOVEMBER, when, PRICES) for when in reversed(whens)]
    seen = [case for case in cases if nonzero(ANSWERS[title](case))]
    pools = [case for case in seen if nonzero(idle_pools_per_hour(case))]
    assert pools, f"{title}: no pool waits"
    return [(NOVEMBER, case.end) for case in (*seen[:2], pools[0])]
