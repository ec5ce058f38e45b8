"""Test that the ledger counts what the example of docs/costs.md says."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import partial

from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import SqliteStore
from exporter.training.cost import Rate
from exporter.training.job import Instances
from tests.ledger.books import TARGET, Time, job, readings
from tests.prometheus import ROOT

PAGE = (ROOT / "docs/costs.md").read_text()
EXAMPLE = PAGE.partition("### An example\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `(\w+)(?:\{.*\})?` \| (.+) \| \$?([\d,.]+) \|$", EXAMPLE, re.MULTILINE)


def number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def arithmetic(text: str) -> Fraction:
    """Return the value of such an expression: products, one difference in brackets, one quotient."""
    plain = re.sub(r"[$,s ]", "", text)
    if found := re.fullmatch(r"\(([\d.]+)-([\d.]+)\)x(.+)", plain):
        return (Fraction(found[1]) - Fraction(found[2])) * arithmetic(found[3])
    product, _, divisor = plain.partition("/")
    value = Fraction(1)
    for factor in product.split("x"):
        value *= Fraction(factor)
    return value / Fraction(divisor or 1)


def test_the_arithmetic_is_right() -> None:
    assert len(ROWS) == 3
    assert [arithmetic(text) for _, text, _ in ROWS] == [number(result) for _, _, result in ROWS]


async def test_the_ledger_counts_the_same() -> None:
    said = re.search(r"for ([\d,]+) seconds, of which AWS bills ([\d,]+) seconds", EXAMPLE)
    price = re.search(r"\$([\d.]+) per", EXAMPLE)
    assert said
    assert price
    example = job(
        spot=True,
        training_seconds=float(number(said[1])),
        billable_seconds=float(number(said[2])),
        instances=(Instances("ml.g5.xlarge", "", 2),),
    )
    rate = Rate(Fraction(price[1]), "USD")
    async with Ledger(partial(SqliteStore, ""), Time(), 0.0, lambda *_: rate) as one:
        await one.apply(readings(example, settled=True))
        totals = {key.family: series.true[0] for key, series in one.totals(TARGET).items() if any(series.true)}
    parts = {name: 1000 if name.endswith("instance_seconds_total") else 10**9 for name, _, _ in ROWS}
    assert {name: Fraction(totals[name], parts[name]) for name in parts} == {
        name: number(result) for name, _, result in ROWS
    }
