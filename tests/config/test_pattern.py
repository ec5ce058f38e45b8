"""Test that patterns for job names mean what they mean in Python, and match in linear time."""

from __future__ import annotations

import re
import time
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config import Jobs, load
from exporter.config.pattern import Pattern, PatternError
from tests.config.conftest import Write
from tests.config.refused import PATTERNS, complaints

EXPLODING = ["([a-z0-9]+-?)+", "(a|a)*", "(a*)*", "(a|aa)+b", "(.*a){12}b", "(a?){30}a{30}c", "a*a*a*a*a*a*a*a*a*a*b"]
NAMES = ["a" * 62 + "!", "a" * 63, "a-" * 31 + "!", "a" * 10_000 + "!"]
ATOMS = ["a", "b", "-", ".", "[ab]", "[^a]", "[]a]", "[^]a]", "[[a]", "[a[]", "[[:alpha:]]", r"[\]a]", r"[\[b]", r"\w"]
ATOMS += [r"\d", r"\-", r"\.", r"\b", r"\A", r"\Z", r"\\Z", "^", "$", "(a)", "(a|b-)", "(?:ab)", "(?P<x>b)", "(?i:A)"]
REPEATS = ["", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,}", "{,2}", "{,}", "{0,2}?", "{,x}", "{"]


@pytest.mark.parametrize("pattern", EXPLODING)
@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_pattern_never_takes_long(write: Write, pattern: str, key: str) -> None:
    jobs = load(write(f'jobs: {{{key}: "{pattern}"}}'), {}).jobs
    began = time.monotonic()
    for name in NAMES:
        jobs.selects(name)
    assert time.monotonic() - began < 20


@given(
    parts=st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)), max_size=4),
    names=st.lists(st.text("abZ-_:[]{},2x\\", max_size=6), min_size=1, max_size=8),
)
@example(parts=[("a", "{,2}")], names=["aa", "a{,2}"])
@example(parts=[("[[:alpha:]]", "")], names=["a", ":]", "[]"])
@example(parts=[("a", ""), (r"\Z", "")], names=["a", "aZ"])
def test_a_pattern_means_what_it_means_in_python(parts: list[tuple[str, str]], names: list[str]) -> None:
    text = "".join(atom + repeat for atom, repeat in parts)
    try:
        with warnings.catch_warnings(action="ignore"):
            python = re.compile(text)
    except re.error:
        with pytest.raises(PatternError):
            Pattern(text)
        return
    try:
        pattern = Pattern(text)
    except PatternError:
        return
    assert [pattern.matches(name) for name in names] == [python.fullmatch(name) is not None for name in names]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)b", "invalid perl operator: (?="),
        ("(?!test-).*", "invalid perl operator: (?!"),
        (".*(?<!-debug)", "invalid perl operator: (?<!"),
        (r"(a)\\1", r"invalid escape sequence: \1"),
        ("(?P<x>a)(?P=x)", "invalid perl operator: (?P"),
        ("a++", "bad repetition operator: ++"),
        ("(?>a)", "invalid perl operator: (?>"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("((a{1000}){1000}){1000}", "invalid repetition size: {1000}"),
    ],
)
def test_what_only_a_backtracking_engine_can_match_is_refused(
    write: Write, pattern: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = complaints(write(f'jobs:\n  exclude: "{pattern}"'))
    allowed = f"{PATTERNS}, without lookaround, backreferences and repetitions above 1000"
    assert found == [f'config.yaml:2: jobs.exclude: "{pattern}" is not supported by RE2: {said} (allowed: {allowed})']
    assert capfd.readouterr() == ("", "")


def test_a_pattern_that_takes_too_much_memory_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError, match="pattern too large - compile failed"):
        Pattern("[ü-€]{1000}" * 50)
    assert capfd.readouterr() == ("", "")


def test_a_name_that_nobody_can_encode_is_matched_all_the_same() -> None:
    assert Jobs().selects("a\ud800") in (True, False)
    assert not Jobs.model_validate({"include": "ü+"}).selects("a\udcff")
    assert Jobs.model_validate({"include": "ü+"}).selects("üü")


def test_patterns_are_equal_by_their_text() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("b")
    assert Jobs() == Jobs()
