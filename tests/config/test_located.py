from __future__ import annotations

import math

import pytest

from exporter.config.located import UNREADABLE, Document, parse
from exporter.config.problems import ConfigError, Path, Place


def read(text: str) -> Document:
    document, problems = parse(text.encode(), "f.yaml")
    assert problems == []
    return document


def complaints(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    try:
        return [str(problem) for problem in parse(data, "f.yaml")[1]]
    except ConfigError as error:
        return str(error).splitlines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("=", "="),
        (":9841", ":9841"),
        ("", None),
        ("# nothing\n", None),
        ("---\n", None),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read_value = read(text).value
    assert read_value == value
    assert type(read_value) is type(value)


def test_nan_is_a_float() -> None:
    assert str(read("[.nan]").value) == "[nan]"


TEXT = """\
a: 1
b:
  - x
  - c: 2
    d:   three
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), Place(1, 1), Place(1, 1)),
        (("a",), Place(1, 4), Place(1, 1)),
        (("b", 0), Place(3, 5), Place(3, 5)),
        (("b", 1, "d"), Place(5, 10), Place(5, 5)),
        (("b", 1, "missing"), Place(4, 5), Place(4, 5)),
        (("b", 7, "missing"), Place(3, 3), Place(2, 1)),
        (("missing", "deeper"), Place(1, 1), Place(1, 1)),
    ],
)
def test_every_value_and_key_has_its_place(path: Path, value: Place, key: Place) -> None:
    document = read(TEXT)
    assert document.value_place(path) == value
    assert document.key_place(path) == key


def test_anchors_and_merges_keep_the_place_where_the_value_stands() -> None:
    document = read("- &a {x: 1, y: 2}\n- {<<: *a, y: 3}\n- {<<: [{z: 1}, *a]}\n- *a\n")
    assert document.value == [{"x": 1, "y": 2}, {"x": 1, "y": 3}, {"z": 1, "x": 1, "y": 2}, {"x": 1, "y": 2}]
    assert document.value_place((1, "x")) == document.value_place((3, "x")) == Place(1, 10)
    assert document.value_place((1, "y")) == Place(2, 15)
    assert document.key_place((2, "z")) == Place(3, 10)


def test_aliases_of_aliases_cost_nothing() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    document = read("\n".join(lines))
    assert document.value_place(("a59", *[1] * 60)) == Place(1, 13)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: a: is written twice, first on line 1 (allowed: each key once)"),
        ("a: {b: 1, b: 2}", "f.yaml:1: a.b: is written twice, first on line 1 (allowed: each key once)"),
        ("5: x", "f.yaml:1: a key that is not text (allowed: keys that are text)"),
        ("a:\n  ? [b]\n  : c", "f.yaml:2: a: a key that is not text (allowed: keys that are text)"),
        ("a:\n- !env X", 'f.yaml:2: a[0]: the tag "!env" has no meaning here (allowed: values without tags)'),
        (
            "a: !!set {b}",
            'f.yaml:1: a: the tag "tag:yaml.org,2002:set" has no meaning here (allowed: values without tags)',
        ),
        ("a: !!int x", "f.yaml:1: a: does not fit int (allowed: values as YAML writes them)"),
        (r'a: "\ud800"', r"f.yaml:1: a: does not fit str (allowed: values as YAML writes them)"),
        (r'"\ud800": a', "f.yaml:1: a key that is not text (allowed: keys that are text)"),
        ("a: !!bool x", "f.yaml:1: a: does not fit bool (allowed: values as YAML writes them)"),
        ("a: &x\n  b: *x", "f.yaml:1: a.b: an anchor that contains itself (allowed: anchors that end)"),
        ("a: {<<: 1}", 'f.yaml:1: a."<<": is not a mapping (allowed: a mapping, or a list of them)'),
        ("a: 1\n---\nb: 2", "f.yaml:3: a second document starts here (allowed: one document)"),
        (
            "a: 1\nb: [1\nc: 2",
            (
                "f.yaml:3: broken YAML: expected ',' or ']', but got ':', while parsing a flow sequence from "
                "line 2 (allowed: YAML, indented with spaces)"
            ),
        ),
        (
            "a:\n\tb: 1",
            (
                "f.yaml:2: broken YAML: found character '\\t' that cannot start any token, while scanning for the next "
                "token (allowed: YAML, indented with spaces)"
            ),
        ),
        ("a: *b", "f.yaml:1: broken YAML: found undefined alias 'b' (allowed: YAML, indented with spaces)"),
        (b"a: 1\nb: \xff", "f.yaml:2: a byte that is not UTF-8 (allowed: UTF-8 text)"),
        ("a: 1\nb: \x07", "f.yaml:2: the character \\x07 is not allowed (allowed: printable characters)"),
        ("[" * 5000, "f.yaml:1: nested too deeply (allowed: a few levels)"),
    ],
)
def test_says_what_is_wrong_and_where(text: str | bytes, expected: str) -> None:
    assert complaints(text) == [expected]


def test_a_number_too_long_for_python_is_refused() -> None:
    assert complaints("a: " + "9" * 5000) == ["f.yaml:1: a: does not fit int (allowed: values as YAML writes them)"]


def test_all_problems_of_a_document_are_reported_together() -> None:
    assert [text.split(":")[1] for text in complaints("a: !x 1\nb: !y 2\nb: 3\n")] == ["1", "2", "3"]


def test_a_value_with_a_problem_is_marked() -> None:
    document, _ = parse(b"a: !x 1\nb: 2", "f.yaml")
    assert document.value == {"a": UNREADABLE, "b": 2}
