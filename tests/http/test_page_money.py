"""Test what the status page says about costs: what is known, per currency, and why something is not."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from exporter.ledger.series import Series, SeriesKey
from exporter.training.active import UNKNOWN, ActiveCounts
from exporter.training.cost import NO_PRICE, TRAINING_PLAN, Rate, Rates
from exporter.training.job import Instances, Serverless, TrainingJob, Transition, WarmPool
from exporter.web import page
from exporter.web.page import money

G5 = "ml.g5.xlarge"
DOLLARS: Rates = {(G5, usage): Rate(Fraction("1.408"), "USD") for usage in ("training", "spot_training", "warm_pool")}
YUAN: Rates = {(G5, "training"): Rate(Fraction("9.5"), "CNY")}
# Two instances at $1.408.
PRICE = "$2.82"
PER_HOUR = f"{PRICE} per hour"


def job(**fields: object) -> TrainingJob:
    values: dict[str, object] = {
        "account": "1",
        "region": "r",
        "name": "train",
        "status": "InProgress",
        "secondary_status": "Training",
        "created": 1000.0,
        "started": 1100.0,
        "spot": False,
        "instances": (Instances(G5, "", 2),),
    }
    return TrainingJob(**(values | fields))  # type: ignore[arg-type]


def ended(**fields: object) -> TrainingJob:
    return job(status="Completed", secondary_status="Completed", **fields)


# The wait in between is not paid for.
PHASES = (
    Transition("Training", 1100.0, 1200.0),
    Transition("Interrupted", 1200.0, 1300.0),
    Transition("Starting", 1300.0, 1900.0),
    Transition("Training", 1900.0, None),
)


@pytest.mark.parametrize(
    ("one", "rates", "cost", "per_hour"),
    [
        # Fifteen minutes of two instances.
        (job(), DOLLARS, "≈ $0.70", PRICE),
        (job(billable_seconds=60.0), DOLLARS, "$0.05", PRICE),
        (job(started=None, secondary_status="Starting"), DOLLARS, "no bill yet", ""),
        (job(transitions=PHASES), DOLLARS, "≈ $0.16", PRICE),
        (job(transitions=(*PHASES[:1], Transition("Training", None, None))), DOLLARS, "no bill yet", PRICE),
        (job(), {}, "no bill yet", ""),
        (job(), {(G5, "training"): NO_PRICE}, "no price", ""),
        (job(training_plan="p"), {(G5, "training"): TRAINING_PLAN}, "training plan", ""),
        (ended(billable_seconds=3600.0), DOLLARS, "$2.82", ""),
        (ended(billable_seconds=3600.0), YUAN, "CNY\N{NO-BREAK SPACE}19.00", ""),
        (ended(billable_seconds=1.0), DOLLARS, "<$0.01", ""),
        (ended(billable_seconds=0.0), DOLLARS, "$0.00", ""),
        (ended(billable_seconds=3.6e6), DOLLARS, "$2,816.00", ""),
        (ended(billable_seconds=60.0, training_plan="p"), {(G5, "training"): TRAINING_PLAN}, "training plan", ""),
        (ended(billable_seconds=3600.0, warm_pool=WarmPool("Available", 1800.0, None)), DOLLARS, "$4.22", PRICE),
    ],
)
def test_the_cost_of_a_job(one: TrainingJob, rates: Rates, cost: str, per_hour: str) -> None:
    shown = page.ShownJob(one, rates=rates)
    assert money.cost(shown, 2000.0) == cost
    assert money.text(money.cost_per_hour(shown)) == per_hour


SERVERLESS: dict[str, object] = {"instances": (), "serverless": Serverless("FineTuning")}


@pytest.mark.parametrize(
    ("one", "settled", "said"),
    [
        (job(), False, "no bill yet"),
        (ended(), False, "no bill yet"),
        (ended(), True, "no bill"),
        (ended(billable_seconds=3600.0), False, "no price"),
        (ended(billable_seconds=3600.0), True, "no price"),
        (job(status="Failed", secondary_status="Failed", started=None), False, "no bill"),
        (job(status="Stopped", secondary_status="Stopped", started=None), True, "no bill"),
        (job(**SERVERLESS), False, "billed by tokens"),
        (ended(**SERVERLESS, started=None), True, "billed by tokens"),
        # AWS describes some serverless jobs without their configuration.
        (ended(spot=None, instances=()), True, "billed by tokens"),
        # Known from the list of jobs only.
        (ended(started=None, spot=None, instances=()), False, "unknown"),
    ],
)
def test_a_job_without_a_cost_says_why(one: TrainingJob, settled: bool, said: str) -> None:
    text = page.render(page.Status("1", 0.0, 2000.0, True, (), (page.ShownJob(one, settled),)), {})
    assert re.findall(r'data-label="Cost"><div>(.*?)</div>', text) == [said]


def counts(*held: tuple[str, int, str | None]) -> ActiveCounts:
    """Return counts of held instances as (usage, number, currency); without a currency they have no price."""
    rates = {(G5, usage): Rate(Fraction("1.408"), currency) for usage, _, currency in held if currency}
    return ActiveCounts({}, {(G5, usage): number for usage, number, _ in held}, rates=rates)


def test_the_cost_per_hour_of_all_targets_says_how_many_instances_have_no_price() -> None:
    assert money.held_per_hour([]) == ""
    assert money.held_per_hour([UNKNOWN, counts(("training", 2, None))]) == "2 instances without a price"
    dollars = counts(("training", 2, "USD"), ("warm_pool", 1, "USD"))
    assert money.held_per_hour([dollars]) == "$4.22 per hour"
    assert money.held_per_hour([dollars], ["warm_pool"]) == "$1.41 per hour"
    some = money.held_per_hour([dollars, counts(("training", 1, None))])
    assert some == "$4.22 per hour, 1 instance without a price"
    both = money.held_per_hour([dollars, counts(("spot_training", 5, "CNY"))])
    assert both == "CNY\N{NO-BREAK SPACE}7.04 and $4.22 per hour"


UNPRICED = "1\N{NO-BREAK SPACE}h 30\N{NO-BREAK SPACE}min of instances without a price"


def total(amount: int, since: float = 500.0) -> Series:
    return Series((amount,), (amount,), since)


def test_a_target_says_what_it_has_cost_and_what_has_no_price() -> None:
    totals = {
        SeriesKey("sagemaker_training_cost_total", (G5, "training", "USD"), (("team", "a"),)): total(2 * 10**9),
        SeriesKey("sagemaker_training_cost_total", (G5, "training", "USD"), ()): total(5 * 10**8, 400.0),
        SeriesKey("sagemaker_training_cost_total", (G5, "warm_pool", "CNY"), ()): total(10**9),
        SeriesKey("sagemaker_training_unpriced_instance_seconds", (G5, "no_price"), ()): total(5_400_000),
        SeriesKey("sagemaker_training_jobs_created_total", (), ()): total(7000),
    }
    spent = money.spent(totals)
    assert spent == page.Spent({"USD": 2.5, "CNY": 1.0}, 400.0, 5400.0)
    target = page.TargetRow("1", "r", counts=counts(("training", 2, "USD")), spent=spent)
    lines = [PER_HOUR, "CNY\N{NO-BREAK SPACE}1.00 and $2.50 since 1970-01-01", UNPRICED]
    assert money.of_target(target) == lines
    text = page.render(page.Status("1", 0.0, 2000.0, True, (target,), ()), {})
    assert f'data-label="Cost"><div>{"<br>".join(lines)}</div>' in text


@pytest.mark.parametrize("spent", [None, page.Spent()])
def test_what_a_target_costs_is_unknown_without_prices(spent: page.Spent | None) -> None:
    text = page.render(page.Status("1", 0.0, 2000.0, True, (page.TargetRow("1", "r", spent=spent),), ()), {})
    assert 'data-label="Cost"><div>unknown</div>' in text


def test_the_page_shows_costs_and_what_a_job_waits_for() -> None:
    waiting = job(secondary_status="Starting", started=None, waiting="insufficient_capacity")
    jobs = (page.ShownJob(job(), rates=DOLLARS), page.ShownJob(waiting))
    target = page.TargetRow("1", "r", counts=counts(("training", 2, "USD")))
    text = page.render(page.Status("1", 0.0, 2000.0, True, (target,), jobs), {})
    assert f"<dt>Cost now</dt><dd><span>{PER_HOUR}</span></dd>" in text
    assert f'≈ $0.70<br><span class="quiet">{PER_HOUR}</span>' in text
    assert "waiting for 16\N{NO-BREAK SPACE}min 40\N{NO-BREAK SPACE}s: insufficient capacity" in text


@pytest.mark.parametrize(
    ("one", "rates", "most"),
    [
        (job(max_runtime_seconds=7200.0), DOLLARS, "$5.63"),
        # Also before it holds instances.
        (job(max_runtime_seconds=7200.0, started=None, secondary_status="Starting"), DOLLARS, "$5.63"),
        (job(max_runtime_seconds=7200.0), {}, ""),
        (job(), DOLLARS, ""),
        (ended(max_runtime_seconds=7200.0), DOLLARS, ""),
    ],
)
def test_what_a_job_costs_at_most(one: TrainingJob, rates: Rates, most: str) -> None:
    assert money.text(money.at_most(page.ShownJob(one, rates=rates))) == most


def test_no_part_of_a_cost_looks_like_the_whole() -> None:
    one = page.ShownJob(job(instances=(Instances(G5, "a", 1), Instances("ml.new", "b", 1))), rates=DOLLARS)
    assert money.so_far(one, 2000.0) is None
    assert money.cost_per_hour(one) == {}
