"""Test what the status page says about costs: what is known, per currency, and why something is not."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from exporter.training.cost import NO_PRICE, TRAINING_PLAN, Rate, Rates
from exporter.training.job import Instances, Serverless, TrainingJob, WarmPool
from exporter.web import page
from exporter.web.page import money

G5 = "ml.g5.xlarge"
DOLLARS: Rates = {(G5, usage): Rate(Fraction("1.408"), "USD") for usage in ("training", "spot_training", "warm_pool")}
YUAN: Rates = {(G5, "training"): Rate(Fraction("9.5"), "CNY")}
# Two instances at $1.408.
PER_HOUR = "$2.82 per hour"


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


@pytest.mark.parametrize(
    ("one", "rates", "cost", "per_hour"),
    [
        (job(), DOLLARS, "", PER_HOUR),
        (job(), {}, "", ""),
        (job(), {(G5, "training"): NO_PRICE}, "no price", ""),
        (ended(billable_seconds=3600.0), DOLLARS, "$2.82", ""),
        (ended(billable_seconds=3600.0), YUAN, "CNY\N{NO-BREAK SPACE}19.00", ""),
        (ended(billable_seconds=1.0), DOLLARS, "<$0.01", ""),
        (ended(billable_seconds=0.0), DOLLARS, "$0.00", ""),
        (ended(billable_seconds=3.6e6), DOLLARS, "$2,816.00", ""),
        (ended(billable_seconds=60.0, training_plan="p"), {(G5, "training"): TRAINING_PLAN}, "training plan", ""),
        (
            ended(billable_seconds=3600.0, warm_pool=WarmPool("Available", 1800.0, None)),
            DOLLARS,
            "$4.22",
            f"{PER_HOUR}, warm pool",
        ),
    ],
)
def test_the_cost_of_a_job(one: TrainingJob, rates: Rates, cost: str, per_hour: str) -> None:
    assert money.cost(one, rates) == cost
    assert money.cost_per_hour(one, rates) == per_hour


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


def test_the_cost_per_hour_of_all_jobs_says_how_many_have_no_price() -> None:
    assert money.total_per_hour([]) == ""
    assert money.total_per_hour([(job(), {})]) == ""
    jobs = [(job(), DOLLARS), (ended(billable_seconds=60.0), DOLLARS)]
    assert money.total_per_hour(jobs) == PER_HOUR
    assert money.total_per_hour([*jobs, (job(), {})]) == f"{PER_HOUR}, 1 without a price"
    both = money.total_per_hour([*jobs, (job(), YUAN)])
    assert both == "CNY\N{NO-BREAK SPACE}19.00 and $2.82 per hour"


def test_the_page_shows_costs_and_what_a_job_waits_for() -> None:
    waiting = job(secondary_status="Starting", started=None, waiting="insufficient_capacity")
    jobs = (page.ShownJob(job(), rates=DOLLARS), page.ShownJob(waiting))
    text = page.render(page.Status("1", 0.0, 2000.0, True, (), jobs), {})
    assert f"<dt>Cost now</dt><dd>{PER_HOUR}</dd>" in text
    assert f'no bill yet<br><span class="quiet">{PER_HOUR}</span>' in text
    assert "waiting: insufficient capacity" in text
    unpriced = page.render(page.Status("1", 0.0, 2000.0, True, (), (page.ShownJob(waiting),)), {})
    assert "Cost now" not in unpriced
