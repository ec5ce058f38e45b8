"""Test that what docs/status-page.md promises is on the page, by the words that it quotes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.web.page import Query, render, render_job
from tests.http.pages import full_job, wordy
from tests.http.parsed import Page

DOCUMENT = (Path(__file__).parents[2] / "docs/status-page.md").read_text()
ROWS = re.findall(r"^\| (?!question|---)(.+?) \| (.+?) \|$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(("question", "answer"), ROWS)
def test_each_answer_is_where_the_document_says(question: str, answer: str) -> None:
    texts = [Page(render(wordy(), Query())).text, Page(render_job(full_job())).text]
    quoted = [words for text in re.findall(r'"([^"]+)"', answer) for words in text.split(": ")]
    assert quoted or "the page of the job" in answer, question
    for words in quoted:
        assert any(words in text for text in texts), words


def test_the_questions_are_those_of_an_operator() -> None:
    assert len(ROWS) > 8
    for word in ("failed", "waiting", "MaxRuntime", "cost", "warm pools", "GPUs", "quotas", "team", "loss", "healthy"):
        assert any(word in question for question, _ in ROWS), word
