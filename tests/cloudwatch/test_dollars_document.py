"""Test the dollars of docs/cloudwatch.md: the table, and what the guard allows."""

from __future__ import annotations

import re

import pytest

from exporter.cloudwatch.families import UTILIZATION_METRICS
from exporter.config import CloudWatch
from exporter.config.duration import parse
from tests.prometheus import ROOT

PAGE = (ROOT / "docs/cloudwatch.md").read_text()
INTERVALS = re.findall(r"`interval: (\w+)`", PAGE)
ROWS = re.findall(r"^\| ([\d,]+) \| (?:`\[gpu\]`|(all) five) \| (\$.+) \|$", PAGE, re.MULTILINE)
DOLLARS_PER_METRIC = 0.01 / 1000
MONTH = 30 * 86400


def number(text: str) -> float:
    return float(text.replace(",", "").replace("$", ""))


def test_the_table_has_rows_and_columns() -> None:
    assert len(ROWS) == 6
    assert INTERVALS == ["1m", "5m", "15m"]


@pytest.mark.parametrize(("jobs", "everything", "dollars"), ROWS)
def test_a_month_costs_what_the_table_says(jobs: str, everything: str, dollars: str) -> None:
    metrics = number(jobs) * (len(UTILIZATION_METRICS) if everything else 1)
    due = [f"${metrics * MONTH / parse(each) * DOLLARS_PER_METRIC:,.2f}" for each in INTERVALS]
    assert dollars.split(" | ") == due


def test_the_guard_allows_what_the_document_says() -> None:
    allowed, interval = CloudWatch().max_metrics_per_hour, CloudWatch().interval
    a_read = int(allowed * interval / 3600)
    assert f"the default of {allowed:,} is ${allowed * DOLLARS_PER_METRIC:.2f} an hour" in PAGE
    assert f"or ${allowed * DOLLARS_PER_METRIC * MONTH / 3600:.0f} a month" in PAGE
    assert f"{a_read:,} metrics at `5m`" in PAGE
    # 1,000 jobs fit for [gpu], and need the larger one for all five.
    assert re.findall(r"`max_metrics_per_hour: (\d+)`", PAGE) == [str(1000 * len(UTILIZATION_METRICS) * 12)]
    assert 1000 <= a_read < 1000 * len(UTILIZATION_METRICS)
