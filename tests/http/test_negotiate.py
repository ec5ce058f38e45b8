"""Test content negotiation with the headers of real clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.negotiate import (
    OPENMETRICS_0,
    OPENMETRICS_1,
    PROMETHEUS_TEXT,
    Format,
    accepts_gzip,
    exposition_format,
)

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", PROMETHEUS_TEXT),
        ("*/*", PROMETHEUS_TEXT),
        (BROWSER, PROMETHEUS_TEXT),
        (PROMETHEUS_2_42, OPENMETRICS_1),
        (PROMETHEUS_3, OPENMETRICS_1),
        (PROMETHEUS_3_PROTOBUF, OPENMETRICS_1),
        ("text/plain;version=0.0.4", PROMETHEUS_TEXT),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", PROMETHEUS_TEXT),
        ("application/openmetrics-text", OPENMETRICS_1),
        ("application/openmetrics-text; version=0.0.1", OPENMETRICS_0),
        ('Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', OPENMETRICS_1),
        ("application/openmetrics-text;version=2.0.0", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=0, text/plain;q=0.1", PROMETHEUS_TEXT),
        ("text/plain,application/openmetrics-text", PROMETHEUS_TEXT),
        ("application/openmetrics-text,text/plain", OPENMETRICS_1),
        ("application/*", OPENMETRICS_1),
        ("application/openmetrics-text;q=loud,text/plain;q=0.1", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=7,text/plain;q=0.1", PROMETHEUS_TEXT),
        ("application/openmetrics-text;q=nan", PROMETHEUS_TEXT),
        ("image/png", PROMETHEUS_TEXT),
    ],
)
def test_the_format_is_what_the_client_likes_best(accept: str, expected: Format) -> None:
    assert exposition_format(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP, deflate", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *;q=1", False),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("deflate", False),
        ("gzip;q=much", False),
    ],
)
def test_gzip_only_where_it_is_welcome(accept_encoding: str, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


@given(st.text(alphabet="aplicton/*;=,q.01\"' ", max_size=60))
def test_any_header_gets_some_answer(header: str) -> None:
    assert exposition_format(header).content_type.endswith("charset=utf-8")
    assert accepts_gzip(header) in (True, False)
