"""Test costs: exact, at the price when a job was first priced, whatever prices do later."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from exporter.ledger.ledger import Ledger
from exporter.ledger.series import SeriesKey
from exporter.ledger.sqlite import SqliteStore
from exporter.training import facts
from exporter.training.cost import Rate, exact
from exporter.training.job import Instances, TrainingJob, WarmPool
from tests.ledger.books import DAY, START, TARGET, Time, job, readings, running

M5, G5 = "ml.m5.large", "ml.g5.xlarge"
NANO = 10**9
_V2 = Path(__file__).parent / "data" / "state-v2.db"


class Prices:
    """Hold the current prices per hour, by type and usage."""

    def __init__(self, **prices: str) -> None:
        self.now = {M5: "0.115", **prices}
        self.currency = "USD"

    def __call__(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        text = self.now.get(f"{instance_type} {usage}", self.now.get(instance_type))
        return Rate(Fraction(text), self.currency) if text else None


@pytest.fixture
def prices() -> Prices:
    return Prices()


def books(prices: Prices | None, path: Path | str = "", time: Time | None = None) -> Ledger:
    return Ledger(partial(SqliteStore, str(path)), time or Time(), 0.0, prices)


def costs(one: Ledger, family: str = "cost_total") -> dict[tuple[object, ...], Fraction]:
    """Return the totals of a family, without series of 0."""
    found = {key: series for key, series in one.totals(TARGET).items() if key.family == f"sagemaker_training_{family}"}
    parts = 1000 if family.startswith("unpriced") else NANO
    return {(*key.labels, *key.tags): Fraction(s.true[0], parts) for key, s in found.items() if s.true[0]}


def nano(exact: Fraction) -> Fraction:
    return Fraction(round(exact * NANO), NANO)


def hours(seconds: int, price: str) -> Fraction:
    return Fraction(seconds, 3600) * Fraction(price)


UNPRICED = "unpriced_instance_seconds"
TRAINED = (M5, "training", "USD")


async def test_cost_is_billed_seconds_times_instances_times_price(prices: Prices) -> None:
    async with books(prices) as one:
        await one.apply(readings(job(), settled=True))
        assert costs(one) == {TRAINED: nano(hours(160, "0.115"))}
        assert costs(one, UNPRICED) == {}


async def test_a_reading_computes_each_billed_amount_once_before_and_once_after_it(
    prices: Prices, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices.now[G5] = ""
    computed = list[float | None]()

    def counted(seconds: float | None) -> Fraction:
        computed.append(seconds)
        return exact(seconds)

    monkeypatch.setattr(facts, "exact", counted)
    types = (Instances(M5, "a", 1), Instances(G5, "b", 3))
    async with books(prices) as one:
        await one.apply(readings(running(instances=types)))
        assert Counter(computed) == {None: 2}
        await one.apply(readings(job(instances=types)))
    assert Counter(computed) == {None: 4, 80.0: 2}


async def test_a_series_is_there_with_0_before_the_first_bill(prices: Prices) -> None:
    """Otherwise `increase` would miss the first job of a type."""
    async with books(prices) as one:
        await one.apply(readings(running()))
        (key,) = (key for key in one.totals(TARGET) if key.family == "sagemaker_training_cost_total")
        assert key.labels == TRAINED
        assert one.totals(TARGET)[key].true == (0,)


async def test_a_later_price_reprices_nothing_and_a_correction_keeps_the_price(prices: Prices, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with books(prices, path) as one:
        await one.apply(readings(job()))
        for text in ("9.99", "", "0.2"):
            prices.now[M5] = text
            await one.price(TARGET)
            await one.apply(readings(job(modified=START + 200)))
            assert costs(one) == {TRAINED: nano(hours(160, "0.115"))}
    async with books(prices, path) as one:
        await one.apply(readings(job(modified=START + 300, billable_seconds=90.0), settled=True))
        assert costs(one) == {TRAINED: nano(hours(180, "0.115"))}
        await one.apply(readings(job("other"), settled=True))
        assert costs(one) == {TRAINED: nano(hours(180, "0.115")) + nano(hours(160, "0.2"))}


async def test_what_has_no_price_is_said_and_priced_when_a_price_comes(prices: Prices, tmp_path: Path) -> None:
    prices.now[M5] = ""
    path = tmp_path / "state.db"
    async with books(prices, path) as one:
        await one.apply(readings(job(), settled=True))
        assert costs(one) == {}
        assert costs(one, UNPRICED) == {(M5, "no_price"): 160}
    async with books(prices, path) as one:
        await one.price(TARGET)
        assert costs(one) == {}
        prices.now[M5] = "0.3"
        await one.price(TARGET)
        assert costs(one) == {TRAINED: nano(hours(160, "0.3"))}
        assert costs(one, UNPRICED) == {}
        await one.price(TARGET)


async def test_a_job_without_a_price_is_not_forgotten_with_the_others(prices: Prices) -> None:
    prices.now[M5] = ""
    prices.now[G5] = "1.408"
    time = Time()
    async with books(prices, time=time) as one:
        await one.apply(readings(job("later"), job("priced", instances=(Instances(G5, "", 1),)), settled=True))
        time.now += 50 * DAY
        await one.forget(TARGET, 30 * DAY, time.now)
        prices.now[M5] = "0.115"
        await one.price(TARGET)
        assert costs(one)[TRAINED] == nano(hours(160, "0.115"))


async def test_spot_has_its_own_price_and_savings_wait_until_the_bill_is_settled(prices: Prices) -> None:
    prices.now[f"{M5} spot_training"] = "0.13"
    async with books(prices) as one:
        await one.apply(readings(job(spot=True, billable_seconds=None)))
        assert costs(one) == costs(one, "spot_saved_cost_total") == {}
        await one.apply(readings(job(spot=True, billable_seconds=20.0)))
        assert costs(one) == {(M5, "spot_training", "USD"): nano(hours(40, "0.13"))}
        # The bill may grow, and then savings would have to shrink.
        assert costs(one, "spot_saved_cost_total") == {}
        await one.apply(readings(job(spot=True, billable_seconds=30.0, modified=START + 500), settled=True))
        assert costs(one) == {(M5, "spot_training", "USD"): nano(hours(60, "0.13"))}
        assert costs(one, "spot_saved_cost_total") == {(M5, "USD"): nano(hours(120, "0.13"))}


async def test_groups_of_one_type_are_rounded_once_together(prices: Prices) -> None:
    """Rounded separately, a third of a nano-dollar would be lost three times."""
    prices.now[M5] = "0.0000012"
    groups = tuple(Instances(M5, f"g{n}", 1) for n in range(3))
    other = Instances(G5, "gpu", 2)
    prices.now[G5] = "1.408"
    async with books(prices) as one:
        await one.apply(readings(job(billable_seconds=1.0, instances=(*groups, other)), settled=True))
        assert costs(one) == {
            TRAINED: Fraction(1, NANO),
            (G5, "training", "USD"): nano(hours(2, "1.408")),
        }


async def test_halves_are_rounded_to_even(prices: Prices) -> None:
    """0.5 nano-dollars become 0, and 1.5 become 2."""
    async with books(prices) as one:
        for price, expected in (("0.0000000018", 0), ("0.0000000054", 2)):
            prices.now = {M5: price}
            name = f"job-{expected}"
            before = costs(one).get(TRAINED, Fraction(0))
            await one.apply(readings(job(name, billable_seconds=500.0), settled=True))
            assert (costs(one).get(TRAINED, Fraction(0)) - before) * NANO == expected


async def test_a_warm_pool_grows_at_its_price(prices: Prices) -> None:
    def pool(seconds: float, status: str = "Available") -> TrainingJob:
        return job(keep_alive_seconds=600.0, warm_pool=WarmPool(status, seconds, None), modified=START + seconds)

    prices.now[f"{M5} warm_pool"] = "0.1"
    async with books(prices) as one:
        for seconds in (10, 60, 600):
            await one.apply(readings(pool(seconds)))
            assert costs(one)[M5, "warm_pool", "USD"] == nano(hours(2 * seconds, "0.1"))
            prices.now[f"{M5} warm_pool"] = "7"
        assert costs(one)[TRAINED] == nano(hours(160, "0.115"))


async def test_a_training_plan_is_prepaid_whatever_the_price(prices: Prices) -> None:
    async with books(prices) as one:
        await one.apply(readings(job(training_plan="plan"), settled=True))
        await one.price(TARGET)
        assert costs(one) == {}
        assert costs(one, UNPRICED) == {(M5, "training_plan"): 160}


async def test_teams_have_their_costs_and_unpriced_is_of_all(prices: Prices) -> None:
    prices.now[G5] = ""
    async with books(prices) as one:
        await one.apply(
            readings(
                job("a", cost_tags=(("team", "vision"),)),
                job("b", cost_tags=(("team", "nlp"),), instances=(Instances(G5, "", 1),)),
                job("c", cost_tags=(("team", "vision"),), instances=(Instances(G5, "", 1),)),
                settled=True,
            )
        )
        assert costs(one) == {(*TRAINED, ("team", "vision")): nano(hours(160, "0.115"))}
        assert costs(one, UNPRICED) == {(G5, "no_price"): 160}


async def test_a_total_of_any_size_is_written_and_read_again(prices: Prices, tmp_path: Path) -> None:
    """A mistake in a price list may make it exceed 64 bits, and must not stop the other targets."""
    prices.now[M5] = "999999999999999"
    async with books(prices, tmp_path / "state.db") as one:
        await one.apply(readings(job(), settled=True))
        await one.apply(readings(job("next"), settled=True))
        assert (costs(one), one.last_error) == ({TRAINED: 2 * nano(hours(160, "999999999999999"))}, None)
    async with books(prices, tmp_path / "state.db") as one:
        assert costs(one) == {TRAINED: 2 * nano(hours(160, "999999999999999"))}


async def test_serverless_jobs_and_bills_that_never_come_cost_nothing(prices: Prices) -> None:
    async with books(prices) as one:
        await one.apply(
            readings(
                job("serverless", instances=(), billable_seconds=None),
                job("never-billed", billable_seconds=None),
                settled=True,
            )
        )
        assert costs(one) == costs(one, UNPRICED) == {}


async def test_without_prices_nothing_is_said_of_costs() -> None:
    async with books(None) as one:
        await one.apply(readings(job(), settled=True))
        await one.price(TARGET)
        assert costs(one) == costs(one, UNPRICED) == {}


@pytest.fixture
def path_of_version_2(tmp_path: Path) -> Path:
    return Path(shutil.copy(_V2, tmp_path / "state.db"))


def _amounts(one: Ledger) -> Mapping[SeriesKey, tuple[int, ...]]:
    return {key: series.true for key, series in one.totals(TARGET).items()}


async def test_costs_of_a_file_of_version_2_begin_with_what_is_read_again(
    prices: Prices, path_of_version_2: Path
) -> None:
    """Jobs closed before there were prices are in no total of costs. Their other totals stay."""
    async with books(None, path_of_version_2) as one:
        before = _amounts(one)
    async with books(prices, path_of_version_2) as one:
        await one.price(TARGET)
        assert _amounts(one) == before
        await one.apply(readings(job("open-billed"), settled=True))
        assert costs(one) == {TRAINED: nano(hours(160, "0.115"))}
        await one.apply(readings(job("open-unbilled", spot=True, billable_seconds=30.0), settled=True))
        assert costs(one)[M5, "spot_training", "USD"] == nano(hours(60, "0.115"))
        await one.apply(
            readings(job("open-pool", keep_alive_seconds=600.0, warm_pool=WarmPool("Terminated", 30.0, None)))
        )
        assert costs(one)[M5, "warm_pool", "USD"] == nano(hours(60, "0.115"))
        assert costs(one, UNPRICED) == {}
        after = _amounts(one)
        counted = [key for key in before if key.family.startswith("sagemaker_training_jobs_")]
        assert any(any(before[key]) for key in counted)
        assert [after[key] for key in counted] == [before[key] for key in counted]


async def test_a_copy_of_a_price_list_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with books(None, path) as one:
        await one.keep_price_list("eu-west-1", "old")
        await one.keep_price_list("eu-west-1", "new")
    async with books(None, path) as one:
        assert await one.price_lists() == {"eu-west-1": "new"}
