"""Test the section `prices`: its values, and the problems reported for invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from exporter.config import Adjustment, Prices, load
from tests.config.refused import complaints

Write = Callable[[str], str]
ACCOUNTS = 'the 12 digits of an account in quotes: "123456789012"'
TYPES = "names of instance types such as ml.p4d.24xlarge, in which * and ? stand for any characters"
KEYS = "account, instance_type, usage, multiplier"
MULTIPLIERS = "a number from 0 to 100 such as 0.88"


def test_a_multiplier_is_exactly_what_is_written(write: Write) -> None:
    text = "prices: {adjustments: [{multiplier: 0.88}, {multiplier: 0.1}, {multiplier: 1}, {multiplier: 8.8e-1}]}"
    adjustments = load(write(text), {}).prices.adjustments
    assert [each.multiplier for each in adjustments] == [Fraction(22, 25), Fraction(1, 10), 1, Fraction(22, 25)]
    assert (adjustments[0].account, adjustments[0].instance_type, adjustments[0].usage) == (None, "*", None)


def test_code_gives_what_a_file_does(write: Write) -> None:
    given = Prices(source="file", file="a", adjustments=(Adjustment(multiplier=Fraction(1, 2)),))
    assert load(write("prices: {source: file, file: a, adjustments: [{multiplier: 0.5}]}"), {}).prices == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{source: aws}", 'source: "aws" is not a choice (allowed: api, file or none)'),
        ("{source: file}", "file: is empty, and the source is a file (allowed: the path of a price file)"),
        ("{source: none, file: a}", 'file: means nothing with the source none (allowed: source: file, or "")'),
        ("{file: 5}", 'file: 5 is not a path (allowed: the path of a price file, or "" for none)'),
        ("{refresh_interval: 30s}", 'refresh_interval: "30s" is out of range (allowed: 1m to 30d)'),
        ("{adjustments: 0.9}", "adjustments: is a number, not a list (allowed: a list)"),
        (
            "{adjustments: [{account: 123456789012, multiplier: 1}]}",
            f"adjustments[0].account: 123456789012 is not an AWS account (allowed: {ACCOUNTS})",
        ),
        (
            "{adjustments: [{}]}",
            "adjustments[0].multiplier: is missing (allowed: what the list price is multiplied by, such as 0.88)",
        ),
        (
            "{adjustments: [{multiplier: 1}, {multiplier: -1}]}",
            f"adjustments[1].multiplier: -1 is out of range (allowed: {MULTIPLIERS})",
        ),
        (
            "{adjustments: [{multiplier: .nan}]}",
            f"adjustments[0].multiplier: NaN is out of range (allowed: {MULTIPLIERS})",
        ),
        (
            "{adjustments: [{multiplier: true}]}",
            f"adjustments[0].multiplier: true is not a number (allowed: {MULTIPLIERS})",
        ),
        (
            "{adjustments: [{multiplier: 1, usage: spot}]}",
            'adjustments[0].usage: "spot" is not a choice (allowed: training, spot_training or warm_pool)',
        ),
        (
            "{adjustments: [{multiplier: 1, instance_type: p4 d}]}",
            f'adjustments[0].instance_type: "p4 d" is not the name of instance types (allowed: {TYPES})',
        ),
        (
            "{adjustments: [{multiplyer: 1, multiplier: 1}]}",
            f"adjustments[0].multiplyer: unknown key, did you mean multiplier? (allowed: {KEYS})",
        ),
    ],
    ids=lambda value: value.split(":")[0],
)
def test_a_mistake_is_said(write: Write, text: str, said: str) -> None:
    assert complaints(write(f"prices: {text}")) == [f"config.yaml:1: prices.{said}"]
