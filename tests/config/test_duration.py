from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import duration

CENTURY = 100 * 365 * 86_400_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("1ms", 0.001),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
        ("1w", 604800.0),
        ("1y2w3d4h5m6s7ms", 31536000 + 1209600 + 259200 + 14400 + 300 + 6.007),
        ("90m", 5400.0),
        ("292y", 292 * 31536000.0),
    ],
)
def test_reads_what_prometheus_reads(text: str, seconds: float) -> None:
    assert duration.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "5 parsecs",
        "1.5h",
        "-1s",
        "+1s",
        " 1s",
        "1s ",
        "1s\n",
        "1S",
        "1m1h",
        "1s1s",
        "1ms1s",
        "h",
        "\u0661s",
        "293y",
        "9" * 5000 + "s",
    ],
)
def test_refuses_what_prometheus_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (5400, "1h30m"),
        (86400 * 8, "8d"),
        (86400 * 14, "2w"),
        (31536000, "1y"),
        (60.5, "1m500ms"),
    ],
)
def test_writes_as_prometheus_does(seconds: float, text: str) -> None:
    assert duration.to_text(seconds) == text


def test_does_not_write_a_negative_duration() -> None:
    with pytest.raises(ValueError, match="never negative"):
        duration.to_text(-1)


@given(st.integers(0, CENTURY))
def test_what_is_written_reads_the_same(milliseconds: int) -> None:
    assert duration.parse(duration.to_text(milliseconds / 1000)) == milliseconds / 1000


@given(st.text("0123456789ywdhms ", max_size=12))
def test_what_is_read_writes_the_same_length_of_time(text: str) -> None:
    try:
        seconds = duration.parse(text)
    except ValueError:
        return
    assert duration.parse(duration.to_text(seconds)) == seconds
