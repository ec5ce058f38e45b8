"""Test the classification of real failure reasons."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.training.failures import FAILURE_DETAILS, failure_category, failure_detail


def rows(name: str) -> list[list[str]]:
    lines = (Path(__file__).parents[1] / "cases" / name).read_text().splitlines()
    return [line.replace("\\n", "\n").split("\t") for line in lines if not line.startswith("#")]


REAL, MORE = rows("failure_reasons.tsv"), rows("more_failure_reasons.tsv")


@pytest.mark.parametrize(("category", "detail", "reason"), REAL, ids=[reason[:60] for *_, reason in REAL])
def test_reasons_that_were_seen(category: str, detail: str, reason: str) -> None:
    assert (failure_category(reason), failure_detail(reason)) == (category, detail)


@pytest.mark.parametrize(("detail", "reason"), MORE, ids=[reason[:60] for _, reason in MORE])
def test_other_reasons(detail: str, reason: str) -> None:
    assert failure_detail(reason) == detail


@given(st.text())
def test_every_text_has_a_detail(reason: str) -> None:
    assert failure_detail(reason) in FAILURE_DETAILS


@pytest.mark.parametrize(
    "word", ["a", " ", "no ", "exit ", "exceeded gpu ", "allocate x ", "insufficient", "\n", "enough a b "]
)
def test_a_hostile_reason_costs_little(word: str) -> None:
    began = time.process_time()
    assert failure_detail(word * (1_000_000 // len(word))) in FAILURE_DETAILS
    assert time.process_time() - began < 0.2
