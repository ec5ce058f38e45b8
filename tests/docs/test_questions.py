"""Test that each question of docs/questions.md has a panel, and a query of at most two lines.

That all of these panels and queries give data is tested in tests/deploy/test_grafana_queries.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.deploy import boards
from tests.deploy.boards import BOARDS
from tests.deploy.documented import of_documents
from tests.docs.markdown import anchor
from tests.prometheus import ROOT

DOCUMENT = ROOT / "docs/questions.md"
HEADING = re.compile(r"^#{2,3} (.+)\n", re.MULTILINE)
BLOCK = re.compile(r"^```promql\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
TITLES = {board["title"].partition(" / ")[2]: uid for uid, board in BOARDS.items()}
ASKED = {query.expr for query in of_documents()}


class Row(NamedTuple):
    """Hold a question, its dashboard, the titles of its panels, and the links to its queries."""

    question: str
    dashboard: str
    panels: str
    links: list[str]


def rows() -> list[Row]:
    found = []
    for line in re.findall(r"^\| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)[1:]:
        question, where, queries = line.split(" | ")
        dashboard, _, titles = where.partition(": ")
        found.append(Row(question, dashboard, titles, re.findall(r"\]\((\S+?)\)", queries)))
    return found


def queries(link: str) -> list[str]:
    """Return the queries below the heading that a link leads to."""
    name, _, wanted = link.partition("#")
    document = DOCUMENT.parent / name if name else DOCUMENT
    _, *parts = HEADING.split(document.read_text())
    (section,) = [text for heading, text in zip(parts[::2], parts[1::2], strict=True) if anchor(heading) == wanted]
    return BLOCK.findall(section)


ROWS = rows()


def test_there_are_thirteen_questions() -> None:
    assert len(ROWS) == len({row.question for row in ROWS}) == 13
    assert all(row.question.endswith("?") for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_the_panels_of_a_question_are_on_its_dashboard(row: Row) -> None:
    titles = {panel["title"] for panel in boards.panels(BOARDS[TITLES[row.dashboard]])}
    # The title of a panel may have a comma.
    named = [title for title in titles if re.search(rf"(^|, ){re.escape(title)}(, |$)", row.panels)]
    assert named
    assert len(", ".join(named)) == len(row.panels), (named, row.panels)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_the_queries_of_a_question_have_two_lines_and_are_run(row: Row) -> None:
    assert row.links
    for link in row.links:
        found = queries(link)
        assert found, link
        for query in found:
            assert len(query.splitlines()) <= 2, query
            assert query.replace('job_name="JOB"', 'job_name="$job"') in ASKED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_the_readme_answers_each_question_with_one_of_these_queries(row: Row) -> None:
    everywhere = {query.expr for query in of_documents() if query.where.startswith("README.md:")}
    assert everywhere & {
        query.replace('job_name="JOB"', 'job_name="$job"') for link in row.links for query in queries(link)
    }


def test_the_readme_is_short_and_its_queries_too() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
    asked = [query.expr for query in of_documents() if query.where.startswith("README.md:")]
    assert len(asked) >= len(ROWS)
    assert all(len(expr.splitlines()) <= 2 for expr in asked)
