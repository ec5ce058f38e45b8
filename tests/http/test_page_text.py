"""Test the parts of the status page: contrast of colours, bars, durations, times and escaped text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from exporter.web.page import render
from exporter.web.page.style import STYLE
from exporter.web.page.text import Whole, moment, phase_bar, phase_kind, printable, span
from tests.http.fakes import NOW, status
from tests.http.pages import job, phases
from tests.http.parsed import shown


def luminance(colour: str) -> float:
    text = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme: int) -> None:
    """WCAG AA requires 4.5 for text, and 3 for everything else."""
    colours: dict[str, str] = {}
    for block in re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)[: scheme + 1]:
        colours |= dict(re.findall(r"--(\w+):(#[0-9a-f]+)", block))
    for ground in ("ground", "card"):
        for text in ("ink", "quiet", "link", "good", "bad", "warn", "idle"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for bar in ("wait", "prepare", "train", "upload", "interrupt", "other"):
        assert contrast(colours[bar], colours["card"]) >= 3, bar


def test_the_bar_is_as_wide_as_the_phases_are_long() -> None:
    bar = phase_bar([("Starting", 25.0), ("Nothing", 0.0), ("Training", 75.0), ("New", 100.0)])
    assert [(phase.kind, float(phase.left), float(phase.width)) for phase in bar] == [
        ("wait", 0.0, 125.0),
        ("train", 125.0, 375.0),
        ("other", 500.0, 500.0),
    ]
    rects = [
        a for a in shown(status(job(transitions=phases(("Training", 75.0), ("New", 25.0))))).all("rect") if "x" in a
    ]
    assert [(a["class"], a["x"], a["width"]) for a in rects] == [
        ("train", "0.00", "750.00"),
        ("other", "750.00", "250.00"),
    ]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_span_without_length_has_no_bar(seconds: float) -> None:
    assert phase_bar([("Starting", seconds)]) == []


def test_kinds_of_phases() -> None:
    assert phase_kind("LaunchingMLInstances") == "wait"
    assert phase_kind("What AWS thinks of next") == "other"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (3725, "1 h 2 min"),
        (86_400 * 3 + 7200 + 59, "3 d 2 h"),
        (86_400, "1 d"),
    ],
)
def test_spans(seconds: float, expected: str) -> None:
    assert span(seconds).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_a_line_breaks_between_units_and_not_within() -> None:
    assert span(86_340).split(" ") == ["23\N{NO-BREAK SPACE}h", "59\N{NO-BREAK SPACE}min"]


def test_moments_have_the_exact_time() -> None:
    found = moment(NOW - 60, NOW)
    assert found
    text = found.__html__().replace("\N{NO-BREAK SPACE}", " ")
    assert text == '<time datetime="2026-11-24T05:59:00Z" title="2026-11-24 05:59:00 UTC">1 min ago</time>'


@pytest.mark.parametrize("timestamp", [None, float("nan"), float("inf"), 1e18, -1e18])
def test_moments_that_are_none(timestamp: float | None) -> None:
    assert moment(timestamp, NOW) is None


def test_text_is_escaped_and_cut() -> None:
    page = render(status(job(name="<&\"'>")), {})
    assert "<bdi>&lt;&amp;&#34;&#39;&gt;</bdi>" in page
    assert printable("a\x00\x1fb\ud800") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert printable("x" * 201) == "x" * 200 + "…"
    assert printable("x" * 200) == "x" * 200
    assert printable("\x00" * 201) == "\N{REPLACEMENT CHARACTER}"
    assert printable(201) == 201


def test_what_is_shown_whole_is_escaped_too() -> None:
    assert printable(Whole("x" * 201)) == "x" * 201
    page = render(replace(status(), root="https://x/" + "a" * 300 + '"<'), {})
    assert f'href="https://x/{"a" * 300}&#34;&lt;metrics"' in page
