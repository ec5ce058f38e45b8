"""Test price files: AWS's index.json and index.csv, tables in YAML, and the problems reported in each."""

from __future__ import annotations

import gc
import json
import re
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.prices import files
from exporter.prices.book import PriceList
from exporter.training.usage import SPOT_TRAINING, TRAINING, WARM_POOL
from tests.prices.listed import REGION, Item, index_json, item, rows, spot, write_csv

ITEMS = [
    item(),
    spot(),
    item("ml.g5.xlarge", "1.408", gpu="1"),
    item("ml.p3.2xlarge", None),
    item(
        "ml.m5.xlarge", "0.9", sku="NOTEBOOK", component="Notebook", platoinstancetype="Notebook", usagetype="Notebk:x"
    ),
    item("ml.m5.xlarge", "9", sku="ZONE", locationType="AWS Local Zone"),
    item("ml.m5.xlarge", "0.253", sku="EU", regionCode="eu-west-1", usagetype="EU-Train:ml.m5.xlarge"),
]
PRICES = {
    ("ml.m5.xlarge", TRAINING): Decimal("0.23"),
    ("ml.m5.xlarge", SPOT_TRAINING): Decimal("0.25"),
    ("ml.g5.xlarge", TRAINING): Decimal("1.408"),
}
ALLOWED = "AWS's index.json or index.csv of AmazonSageMaker, or a table in YAML: docs/prices.md"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "prices.json") -> str:
    Path(name).write_text(text)
    return name


def as_csv(items: list[Item], **options: str) -> str:
    return str(write_csv(Path("prices.csv"), rows(items), **options))


@pytest.mark.parametrize("write", [lambda items: written(index_json(items)), as_csv], ids=["json", "csv"])
def test_both_of_awss_files_say_the_same(write: Callable[[list[Item]], str]) -> None:
    found = files.read(write(ITEMS))
    assert found.bad == ()
    assert found.lists.keys() == {REGION, "eu-west-1"}
    assert (found.lists[REGION].currency, found.lists[REGION].prices) == ("USD", PRICES)
    assert found.lists[REGION].hardware["ml.g5.xlarge"].gpus == 1
    assert found.lists["eu-west-1"].prices == {("ml.m5.xlarge", TRAINING): Decimal("0.253")}


def test_a_file_is_known_by_what_is_in_it() -> None:
    Path("list").write_bytes(b"\xef\xbb\xbf" + Path(as_csv(ITEMS)).read_bytes())
    assert files.read("list").lists[REGION].prices == PRICES
    assert files.read(written(index_json(ITEMS), "list")).lists[REGION].prices == PRICES
    assert files.read(written("regions: {us-east-1: {ml.m5.large: 1}}", "list")).lists.keys() == {REGION}


@pytest.mark.parametrize("write", [lambda items: written(index_json(items)), as_csv], ids=["json", "csv"])
def test_good_entries_count_and_the_others_are_said(write: Callable[[list[Item]], str]) -> None:
    bad = [item("ml.p4d.24xlarge", "-1"), item("ml.g6.xlarge", "1.127"), item("ml.g6.xlarge", "1.2", sku="TWICE")]
    name = write([*ITEMS, *bad])
    found = files.read(name)
    assert found.lists[REGION].prices == PRICES
    negative, twice = (str(problem) for problem in files.problems(name, found))
    line = ":13" if name.endswith("csv") else ""
    assert negative == (
        f"{name}{line}: SKU-ML-P4D-24XLARGE-TRAINING: the price -1 is negative "
        "(allowed: one price per hour, not negative)"
    )
    assert "TWICE: ml.g6.xlarge has two prices for training: 1.127, 1.2" in twice


def refusal(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        files.read(name)
    return str(caught.value)


def test_a_list_of_another_service_is_refused() -> None:
    said = f'is the price list of "AmazonEC2" (allowed: {ALLOWED})'
    assert refusal(written(index_json(ITEMS, "AmazonEC2"))) == f"prices.json: offerCode: {said}"
    assert refusal(as_csv(ITEMS, code="AmazonEC2")) == f"prices.csv:5: OfferCode: {said}"


@pytest.mark.parametrize("text", ['{"PriceList": []}', '{"products": {}, "offerCode": "AmazonSageMaker"}', "{}"])
def test_json_that_is_no_price_list_is_refused(text: str) -> None:
    missing = "is missing: this is not an AWS price list"
    assert refusal(written(text)) == f"prices.json: offerCode: {missing} (allowed: {ALLOWED})"


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_list_is_refused(kept: float) -> None:
    text = index_json(ITEMS)
    said = f"prices.json: is truncated, or is not JSON (allowed: {ALLOWED})"
    assert refusal(written(text[: int(len(text) * kept)])) == said


@pytest.mark.parametrize("rest", [3, 20, 60, 100])
def test_a_truncated_table_is_refused_with_its_line(rest: int) -> None:
    text = Path(as_csv(ITEMS)).read_text()
    last = text.count("\n")
    Path("prices.csv").write_text(text[:-rest])
    assert re.match(
        rf"prices\.csv:{last}: (has \d+ columns instead of|is truncated in the middle)", refusal("prices.csv")
    )


def test_two_currencies_are_refused() -> None:
    mixed = [*ITEMS, item("ml.m5.large", "0.8", currency="CNY")]
    assert refusal(written(index_json(mixed))) == (
        "prices.json: products.SKU-ML-M5-LARGE-TRAINING: the prices of us-east-1 are in USD and CNY "
        f"(allowed: {ALLOWED})"
    )
    assert "prices.csv:13: SKU-ML-M5-LARGE-TRAINING: the prices of us-east-1 are in USD and CNY" in refusal(
        as_csv(mixed)
    )


def test_a_table_without_the_columns_is_refused() -> None:
    assert refusal(written("SKU,TermType,Unit\nA,OnDemand,Hrs\n", "prices.csv")) == (
        "prices.csv:1: has no column priceperunit, currency, productfamily, locationtype, usagetype "
        f"(allowed: {ALLOWED})"
    )
    assert "no line has the column names" in refusal(written("a,b\n" * 30, "prices.csv"))
    Path("prices.csv").write_bytes(b"\xff\n")
    assert "prices.csv:1: is not UTF-8" in refusal("prices.csv")


@pytest.mark.parametrize("items", [[], [item(component="Notebook", platoinstancetype="Notebook")], [item(price=None)]])
def test_a_list_without_a_price_of_training_is_refused(items: list[Item]) -> None:
    assert "prices.json: has no price for training instances" in refusal(written(index_json(items)))


def test_a_file_that_is_not_there_is_refused() -> None:
    assert refusal("no.json") == ("no.json: cannot be read: No such file or directory (allowed: a readable price file)")
    assert "cannot be read: Is a directory" in refusal(".")


TABLE = """\
currency: CNY
regions:
  cn-north-1:
    ml.m5.large: 0.1
    ml.m5.xlarge: {training: 0.30, spot_training: "0.10", warm_pool: 2}
  cn-northwest-1:
    ml.m5.large: 0.12345678901234567890123
"""


def test_a_table_says_exactly_what_is_written() -> None:
    lists = files.read(written(TABLE, "prices.yaml")).lists
    assert lists["cn-north-1"] == PriceList(
        "CNY",
        {
            ("ml.m5.large", TRAINING): Decimal("0.1"),
            ("ml.m5.xlarge", TRAINING): Decimal("0.30"),
            ("ml.m5.xlarge", SPOT_TRAINING): Decimal("0.10"),
            ("ml.m5.xlarge", WARM_POOL): Decimal(2),
        },
    )
    assert lists["cn-northwest-1"].prices["ml.m5.large", TRAINING] == Decimal("0.12345678901234567890123")


M5 = '5: regions.cn-north-1."ml.m5.xlarge"'
CURRENCIES = "(allowed: the three letters of one currency, such as USD or CNY)"
NUMBERS = "(allowed: a price per instance and hour, such as 0.23)"
TYPES = "(allowed: instance types such as ml.m5.xlarge)"
USAGES = "(allowed: training, spot_training, warm_pool)"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("currency", "curency", "1: curency: unknown key, did you mean currency? (allowed: currency, regions)"),
        ("CNY", "yuan", f'1: currency: "yuan" is not a currency {CURRENCIES}'),
        ("CNY", "[USD, CNY]", f"1: currency: a list is not a currency {CURRENCIES}"),
        ("cn-north-1", "Beijing", '3: regions.Beijing: "Beijing" is not a region (allowed: regions such as us-east-1)'),
        (
            "ml.m5.large: 0.1\n",
            "m5.large: 0.1\n",
            f'4: regions.cn-north-1."m5.large": "m5.large" is not an instance type {TYPES}',
        ),
        ("warm_pool", "warmpool", f"{M5}.warmpool: unknown key, did you mean warm_pool? {USAGES}"),
        ("0.30", "-0.30", f"{M5}.training: the price -0.30 is negative {NUMBERS}"),
        ("0.30", "1e3", f"{M5}.training: the price '1e3' is not a number {NUMBERS}"),
        ("0.30", "yes", f"{M5}.training: the price 'yes' is not a number {NUMBERS}"),
        ("0.30", "true", f"{M5}.training: a boolean is not a price {NUMBERS}"),
        ("0.30", "!!float x", f"{M5}.training: the price 'x' is not a number {NUMBERS}"),
        ("0.30", "!other 1", f'{M5}.training: the tag "!other" has no meaning here (allowed: values without tags)'),
        (
            '{training: 0.30, spot_training: "0.10", warm_pool: 2}',
            "{}",
            f"{M5}: is empty (allowed: prices by training, spot_training, warm_pool)",
        ),
        ("regions:", "regions: {}\nx:", "2: regions: is empty (allowed: regions such as us-east-1)"),
        (
            "ml.m5.large: 0.1\n",
            "ml.m5.xlarge: 0.1\n",
            f"{M5}: is written twice, first on line 4 (allowed: each key once)",
        ),
    ],
)
def test_a_mistake_in_a_table_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert TABLE.replace(old, new, 1) != TABLE
    assert f"prices.yaml:{said}" in refusal(written(TABLE.replace(old, new, 1), "prices.yaml")).splitlines()


@pytest.mark.parametrize("text", ["", "- a", "regions:", "regions: [a]", "currency: USD"])
def test_a_table_that_is_none_is_refused(text: str) -> None:
    assert refusal(written(text, "prices.yaml"))


def test_all_mistakes_of_a_table_are_said_at_once() -> None:
    text = TABLE.replace("0.30", "-1").replace("cn-northwest-1", "nowhere").replace("CNY", "yuan")
    assert len(refusal(written(text, "prices.yaml")).splitlines()) == 3


def _many(number: int) -> Iterator[Item]:
    """Yield the few training entries among many others, as in AWS's list."""
    yield from ITEMS
    for index in range(number):
        yield item(
            f"ml.m5.size{index}",
            "0.9",
            sku=f"OTHER{index}",
            component="Notebook",
            platoinstancetype="Notebook",
            usagetype=f"USE1-Notebk:ml.m5.size{index}",
            description="x" * 500,
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_large_file_takes_little_memory(kind: str) -> None:
    """Check that the peak of memory does not depend on the size of the file.

    AWS's files of all regions have hundreds of megabytes.
    """
    peaks = []
    for number in (400, 4000):
        if kind == "json":
            written(index_json(_many(number)), "prices.json")
        else:
            write_csv(Path("prices.csv"), rows(_many(number)))
        # Garbage of earlier tests must not be collected, and counted, during this one.
        gc.collect()
        tracemalloc.start()
        found = files.read(f"prices.{kind}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.lists[REGION].prices == PRICES
    assert Path(f"prices.{kind}").stat().st_size > (3_000_000 if kind == "json" else 900_000)
    assert peaks[1] < 1_200_000
    assert peaks[1] < peaks[0] + 300_000


def test_an_index_has_the_shape_of_awss() -> None:
    document = json.loads(index_json(ITEMS))
    assert list(document) == ["formatVersion", "disclaimer", "offerCode", "version", "products", "terms"]
