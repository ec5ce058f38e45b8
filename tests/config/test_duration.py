from __future__ import annotations

from datetime import timedelta

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


@given(st.integers(0, CENTURY))
def test_milliseconds_are_read_exactly(milliseconds: int) -> None:
    assert duration.parse(f"{milliseconds}ms") == milliseconds / 1000


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    text = f"{days}d{hours}h{minutes}m{seconds}s{milliseconds}ms"
    assert duration.parse(text) == pytest.approx(whole.total_seconds(), abs=1e-9)
