"""Test the exact rates of an account, and the hardware of all training instance types."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import botocore.session
import pytest
from botocore.model import StringShape
from hypothesis import given
from hypothesis import strategies as st

from exporter.prices.book import Adjustment, Hardware, PriceBook, PriceList
from exporter.prices.cached import Kept, decoded, encoded
from exporter.prices.hardware import hardware_of, table
from exporter.training.cost import Rate
from exporter.training.usage import SPOT_TRAINING, TRAINING, USAGES, WARM_POOL
from tests.prices.listed import MemoryCache

A, B = "111111111111", "222222222222"
LIST = PriceList(
    "USD",
    {
        ("ml.p4d.24xlarge", TRAINING): Decimal("25.251"),
        ("ml.p4d.24xlarge", SPOT_TRAINING): Decimal("37.688"),
        ("ml.m5.xlarge", TRAINING): Decimal("0.23"),
    },
    {"ml.m5.xlarge": Hardware(0, 4, None)},
)
BOOK = PriceBook({"us-east-1": LIST})


def test_a_usage_that_the_list_does_not_price_costs_what_training_does() -> None:
    found = {usage: BOOK.list_price("us-east-1", "ml.p4d.24xlarge", usage) for usage in USAGES}
    assert found == {TRAINING: Decimal("25.251"), SPOT_TRAINING: Decimal("37.688"), WARM_POOL: Decimal("25.251")}
    assert BOOK.list_price("us-east-1", "ml.m5.xlarge", SPOT_TRAINING) == Decimal("0.23")


def test_what_the_list_does_not_have_has_no_price() -> None:
    assert BOOK.list_price("us-east-1", "ml.r6i.large", TRAINING) is None
    assert BOOK.list_price("eu-west-1", "ml.m5.xlarge", TRAINING) is None
    assert BOOK.rate(A, "us-east-1", "ml.r6i.large", TRAINING) is None
    assert BOOK.rate(A, "eu-west-1", "ml.m5.xlarge", TRAINING) is None


def test_the_first_adjustment_that_fits_counts_and_the_list_price_stays() -> None:
    adjustments = (
        Adjustment(Fraction("0.8"), A, "ml.p4d.*", TRAINING),
        Adjustment(Fraction("0.9"), A),
        Adjustment(Fraction("0.5"), None, "ml.p?d.*"),
    )
    book = PriceBook({"us-east-1": LIST}, adjustments)
    paid = {
        (account, name, usage): rate.per_hour
        for account in (A, B)
        for name in ("ml.p4d.24xlarge", "ml.m5.xlarge")
        for usage in (TRAINING, SPOT_TRAINING)
        if (rate := book.rate(account, "us-east-1", name, usage))
    }
    assert paid == {
        (A, "ml.p4d.24xlarge", TRAINING): Fraction("25.251") * Fraction("0.8"),
        (A, "ml.p4d.24xlarge", SPOT_TRAINING): Fraction("37.688") * Fraction("0.9"),
        (A, "ml.m5.xlarge", TRAINING): Fraction("0.23") * Fraction("0.9"),
        (A, "ml.m5.xlarge", SPOT_TRAINING): Fraction("0.23") * Fraction("0.9"),
        (B, "ml.p4d.24xlarge", TRAINING): Fraction("25.251") / 2,
        (B, "ml.p4d.24xlarge", SPOT_TRAINING): Fraction("37.688") / 2,
        (B, "ml.m5.xlarge", TRAINING): Fraction("0.23"),
        (B, "ml.m5.xlarge", SPOT_TRAINING): Fraction("0.23"),
    }
    assert book.list_price("us-east-1", "ml.p4d.24xlarge", TRAINING) == Decimal("25.251")
    assert book.rate(B, "us-east-1", "ml.m5.xlarge", TRAINING) == Rate(Fraction(23, 100), "USD")


def test_prices_of_a_file_stand_above_those_of_the_list() -> None:
    own = PriceList("USD", {("ml.m5.xlarge", TRAINING): Decimal("0.2")})
    both = LIST.overlaid(own)
    assert both.prices["ml.m5.xlarge", TRAINING] == Decimal("0.2")
    assert both.prices["ml.p4d.24xlarge", TRAINING] == Decimal("25.251")
    assert both.hardware == LIST.hardware
    other = PriceList("EUR", own.prices)
    assert LIST.overlaid(other) == PriceList("EUR", own.prices, LIST.hardware)


def test_what_a_file_does_not_know_of_hardware_is_taken_from_the_list() -> None:
    listed = PriceList("USD", {}, {"ml.m5.xlarge": Hardware(0, 4, None)})
    own = PriceList("USD", {}, {"ml.m5.xlarge": Hardware(None, 8, 2**30), "ml.other": Hardware(1)})
    assert listed.overlaid(own).hardware == {"ml.m5.xlarge": Hardware(0, 8, 2**30), "ml.other": Hardware(1)}


def test_the_table_of_hardware_has_the_types_that_the_api_names() -> None:
    shape = botocore.session.get_session().get_service_model("sagemaker").shape_for("TrainingInstanceType")
    assert isinstance(shape, StringShape)
    assert list(table()) == list(shape.enum)


@pytest.mark.parametrize(
    ("name", "hardware"),
    [
        ("ml.m5.xlarge", Hardware(0, 4, 16 * 2**30)),
        ("ml.c4.xlarge", Hardware(0, 4, 15 * 2**29)),
        ("ml.g5.12xlarge", Hardware(4, 48, 192 * 2**30)),
        ("ml.g5.16xlarge", Hardware(1, 64, 256 * 2**30)),
        ("ml.p4d.24xlarge", Hardware(8, 96, 1152 * 2**30)),
        ("ml.p5.48xlarge", Hardware(8, 192, 2048 * 2**30)),
        ("ml.trn1.32xlarge", Hardware(0, 128, 512 * 2**30)),
        ("ml.r8i.96xlarge", Hardware(0, 384, 3072 * 2**30)),
        ("ml.g7.12xlarge", Hardware()),
        ("ml.new.large", Hardware()),
    ],
)
def test_hardware_is_that_of_ec2_and_what_nobody_knows_is_unknown(name: str, hardware: Hardware) -> None:
    assert hardware_of(name) == hardware


def test_only_g7_is_unknown_and_a_gpu_is_where_the_name_says_so() -> None:
    for name, found in table().items():
        family = name.split(".")[1]
        assert (None in found) == (family == "g7"), name
        if family != "g7":
            assert bool(found.gpus) == (family[0] in "pg"), name
            assert found.vcpus, name
            assert found.memory_bytes, name


def test_the_list_stands_above_the_table() -> None:
    assert hardware_of("ml.m5.xlarge", Hardware(None, 5, None)) == Hardware(0, 5, 16 * 2**30)
    assert BOOK.hardware("ml.m5.xlarge") == Hardware(0, 4, None)
    assert BOOK.hardware("ml.m5.large") == Hardware()


PRICES = st.decimals(0, 10**6, places=10)
TYPES = st.sampled_from(list(table()))
COUNTS = st.none() | st.integers(0, 2**42)


@given(
    st.sampled_from(["USD", "CNY"]),
    st.dictionaries(st.tuples(TYPES, st.sampled_from(USAGES)), PRICES),
    st.dictionaries(TYPES, st.builds(Hardware, COUNTS, COUNTS, COUNTS)),
    st.floats(0, 2e9),
)
def test_a_list_is_kept_exactly(
    currency: str, prices: dict[tuple[str, str], Decimal], hardware: dict[str, Hardware], read: float
) -> None:
    kept = Kept(PriceList(currency, prices, hardware), read)
    text = encoded(kept)
    assert decoded(text) == kept
    assert "\n" not in text
    turned = PriceList(currency, dict(reversed(prices.items())), dict(reversed(hardware.items())))
    assert encoded(Kept(turned, read)) == text


def test_the_text_is_this_one() -> None:
    listed = PriceList("USD", {("ml.m5.xlarge", TRAINING): Decimal("0.2300000000")}, {"ml.m5.xlarge": Hardware(0, 4)})
    assert encoded(Kept(listed, 1_790_000_000.5)) == (
        '{"currency":"USD","hardware":{"ml.m5.xlarge":{"gpus":0,"memory_bytes":null,"vcpus":4}},'
        '"prices":{"ml.m5.xlarge":{"training":"0.2300000000"}},"read":1790000000.5,"version":1}'
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "null",
        "[]",
        "{}",
        '{"version":2,"read":1,"currency":"USD","prices":{},"hardware":{}}',
        '{"version":1,"read":1,"currency":"USD","prices":{"a":{"training":"NaN"}},"hardware":{}}',
        '{"version":1,"read":1,"currency":"USD","prices":{"a":1},"hardware":{}}',
        '{"version":1,"read":1,"currency":"USD","prices":{},"hardware":{"a":{"tpus":1}}}',
        '{"version":1,"read":"now","currency":"USD","prices":{},"hardware":{}}',
    ],
)
def test_a_text_of_another_kind_is_no_list(text: str | None) -> None:
    assert decoded(text) is None


async def test_a_cache_in_memory_keeps_the_last_text_of_each_region() -> None:
    cache = MemoryCache()
    assert await cache.load() == {}
    await cache.store("us-east-1", "a")
    await cache.store("us-east-1", "b")
    assert await cache.load() == {"us-east-1": "b"}
