"""Test that each job counts exactly once, whatever comes after its first reading."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from exporter.exposition.family import Histogram, Total
from exporter.ledger.accounting import Reading
from exporter.ledger.series import SeriesKey
from exporter.training.job import Instances, Transition, WarmPool
from exporter.training.totals import TOTAL_FAMILIES
from tests.ledger.books import START, TARGET, histogram, job, ledger, readings, running, shown, true

_TYPE = "ml.m5.large"


async def test_ended_job_adds_all_that_aws_says_of_it() -> None:
    async with ledger() as books:
        await books.apply(readings(job()))
        assert shown(books, "jobs_created") == 1
        assert shown(books, "jobs_finished", "Completed") == 1
        assert shown(books, "seconds", "false") == 90
        assert shown(books, "billable_seconds", "false") == 80
        assert shown(books, "instance_seconds", _TYPE, "false") == 180
        assert shown(books, "billable_instance_seconds", _TYPE, "false") == 160
        assert histogram(books, "job_duration_seconds", "Completed") == (1, 100)


async def test_running_job_is_created_and_nothing_else() -> None:
    async with ledger() as books:
        await books.apply(readings(running()))
        assert true(books) == {SeriesKey("sagemaker_training_jobs_created_total", (), ()): (1000,)}


async def test_same_reading_again_changes_nothing() -> None:
    async with ledger() as books:
        await books.apply(readings(job()))
        before = books.totals(TARGET)
        await books.apply(readings(job(), job()))
        assert books.totals(TARGET) == before


async def test_late_bill_adds_the_difference() -> None:
    async with ledger() as books:
        await books.apply(readings(job(billable_seconds=None)))
        assert shown(books, "billable_seconds", "false") is None
        await books.apply(readings(job(billable_seconds=30.0, modified=START + 140)))
        await books.apply(readings(job(billable_seconds=81.5, modified=START + 150)))
        assert shown(books, "billable_seconds", "false") == 81.5
        assert shown(books, "billable_instance_seconds", _TYPE, "false") == 163
        assert shown(books, "jobs_created") == 1


async def test_training_seconds_wait_for_the_bill_and_nothing_else_does() -> None:
    unbilled = job(billable_seconds=None, spot=True, warm_pool=WarmPool("Reused", 30.0, "next"))
    async with ledger() as books:
        await books.apply(readings(unbilled))
        assert not shown(books, "seconds", "true")
        assert shown(books, "instance_seconds", _TYPE, "true") == 0
        assert shown(books, "jobs_finished", "Completed") == 1
        assert shown(books, "warm_pool_retained_billable_seconds") == 30
        assert histogram(books, "job_duration_seconds", "Completed") == (1, 100)
        # LastModifiedTime stands still.
        await books.apply(readings(replace(unbilled, billable_seconds=30.0)))
        assert shown(books, "seconds", "true") == 90
        assert shown(books, "instance_seconds", _TYPE, "true") == 180
        assert shown(books, "billable_seconds", "true") == 30


async def test_seconds_reported_while_a_job_runs_wait_too() -> None:
    async with ledger() as books:
        await books.apply(readings(running(training_seconds=40.0)))
        assert not shown(books, "seconds", "false")
        await books.apply(readings(job()))
        assert shown(books, "seconds", "false") == 90


async def test_bill_without_training_seconds_does_not_wait() -> None:
    """The bill is money, and does not make savings look better."""
    async with ledger() as books:
        await books.apply(readings(job(training_seconds=None)))
        assert shown(books, "billable_seconds", "false") == 80


_GIVING_UP = [
    readings(job(billable_seconds=None), settled=True),
    [Reading.last(job().identity)],
]


@pytest.mark.parametrize("given_up", _GIVING_UP, ids=["settled", "gone"])
async def test_job_whose_bill_is_given_up_counts_alone_and_once(given_up: list[Reading]) -> None:
    waiting, late = readings(job(billable_seconds=None)), readings(job(modified=START + 1e6))
    async with ledger() as books:
        for seen in (waiting, given_up, waiting, given_up):
            await books.apply(seen)
        assert shown(books, "seconds", "false") == 90
        assert not shown(books, "billable_seconds", "false")
        for seen in (late, waiting, given_up, late):
            await books.apply(seen)
        assert shown(books, "seconds", "false") == 90
        assert shown(books, "instance_seconds", _TYPE, "false") == 180
        assert shown(books, "billable_seconds", "false") == 80


async def test_bill_that_was_given_up_before_the_seconds_were_known() -> None:
    """The last reading before the deletion had no training seconds; an older one, which arrives late, has."""
    async with ledger() as books:
        await books.apply(readings(running()))
        await books.apply([Reading.last(job().identity)])
        assert not shown(books, "seconds", "false")
        await books.apply(readings(job(billable_seconds=None)))
        assert shown(books, "seconds", "false") == 90


async def test_serverless_job_waits_for_no_bill() -> None:
    async with ledger() as books:
        await books.apply(readings(job(billable_seconds=None, instances=(), billable_tokens=7.0)))
        assert shown(books, "seconds", "false") == 90


async def test_type_of_instances_is_there_with_0_before_the_bill() -> None:
    async with ledger() as books:
        await books.apply(readings(running()))
        assert shown(books, "billable_instance_seconds", _TYPE, "false") == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_latest_reading_counts_in_any_order(order: tuple[int, ...]) -> None:
    seen = (
        running(),
        job(billable_seconds=300.0, modified=START + 200),
        job(billable_seconds=70.0, modified=START + 300),
    )
    async with ledger() as books:
        for index in order:
            await books.apply(readings(seen[index]))
        key = SeriesKey("sagemaker_training_billable_seconds_total", ("false",), ())
        assert books.totals(TARGET)[key].true == (70_000,)
        assert shown(books, "jobs_finished", "Completed") == 1


async def test_retained_time_grows_with_its_pool() -> None:
    async with ledger() as books:
        for at, retained, status in ((130, 0.0, "Available"), (160, 30.0, "Available"), (500, 370.0, "Reused")):
            pool = WarmPool(status, retained, "next" if status == "Reused" else None)
            await books.apply(readings(job(warm_pool=pool, keep_alive_seconds=600.0, modified=START + at)))
            assert shown(books, "warm_pool_retained_billable_seconds") == retained
            assert shown(books, "warm_pool_retained_billable_instance_seconds", _TYPE) == 2 * retained
        assert shown(books, "warm_pool_reuses") == 1


async def test_lowered_value_lowers_nothing_shown_and_is_caught_up_with() -> None:
    async with ledger() as books:
        await books.apply(readings(job(billable_seconds=80.0)))
        await books.apply(readings(job(billable_seconds=50.0, modified=START + 200)))
        assert shown(books, "billable_seconds", "false") == 80
        await books.apply(readings(job("second", billable_seconds=20.0)))
        assert shown(books, "billable_seconds", "false") == 80
        await books.apply(readings(job("third", billable_seconds=25.0)))
        assert shown(books, "billable_seconds", "false") == 95


async def test_histogram_follows_a_corrected_end() -> None:
    async with ledger() as books:
        await books.apply(readings(job(ended=START + 110)))
        await books.apply(readings(job(ended=START + 410, modified=START + 500)))
        key = SeriesKey("sagemaker_training_job_duration_seconds", ("Completed",), ())
        assert (books.totals(TARGET)[key].true[-2:]) == (1000, 400_000)
        assert histogram(books, "job_duration_seconds", "Completed") == (1, 400)


async def test_heterogeneous_cluster_counts_by_type() -> None:
    groups = (Instances("ml.p4d", "gpu", 1), Instances("ml.c5", "cpu", 2), Instances("ml.c5", "io", 3))
    async with ledger() as books:
        await books.apply(readings(job(instances=groups, spot=True)))
        assert shown(books, "billable_instance_seconds", "ml.p4d", "true") == 80
        assert shown(books, "billable_instance_seconds", "ml.c5", "true") == 400
        assert shown(books, "billable_seconds", "true") == 80


async def test_failures_interruptions_and_phases() -> None:
    walk = (
        Transition("Starting", START + 10, START + 14),
        Transition("Interrupted", START + 14, START + 15),
        Transition("Starting", START + 15, START + 21.5),
        Transition("Failed", START + 21.5, None),
    )
    failed = job(status="Failed", failure_category="CapacityError", ended=None, transitions=walk, training_seconds=None)
    async with ledger() as books:
        await books.apply(readings(failed))
        assert shown(books, "jobs_failed", "CapacityError") == 1
        assert shown(books, "spot_interruptions") == 1
        assert histogram(books, "phase_duration_seconds", "Starting") == (2, 10.5)
        assert histogram(books, "phase_duration_seconds", "Failed") is None
        assert histogram(books, "job_duration_seconds", "Failed") == (1, 11.5)
        assert shown(books, "seconds", "false") is None


async def test_unknown_reason_of_a_failure_is_other() -> None:
    async with ledger() as books:
        await books.apply(readings(job(status="Failed", failure_category=None)))
        assert shown(books, "jobs_failed", "Other") == 1


async def test_known_label_values_are_there_from_the_start_with_0() -> None:
    async with ledger() as books:
        await books.begin(TARGET)
        there = {(key.family, key.labels) for key in books.totals(TARGET)}
        assert there == {(family.name, labels) for family in TOTAL_FAMILIES for labels in family.known}
        assert not true(books)
        assert shown(books, "jobs_finished", "Stopped") == 0
        assert books.targets() == [TARGET]


async def test_beginning_again_resets_nothing() -> None:
    async with ledger() as books:
        await books.apply(readings(job()))
        before = true(books)
        await books.begin(TARGET)
        assert true(books) == before


async def test_cost_tags_are_labels_and_start_with_0() -> None:
    red, blue = (("team", "red"),), (("team", "blue"),)
    async with ledger() as books:
        await books.apply(readings(job(cost_tags=red), running("other", cost_tags=blue)))
        assert shown(books, "billable_seconds", "false", tags=red) == 80
        assert shown(books, "billable_seconds", "false", tags=blue) == 0
        assert shown(books, "jobs_failed", "AlgorithmError", tags=blue) == 0
        assert shown(books, "billable_seconds", "false") is None


async def test_retagged_job_stays_in_its_totals() -> None:
    red, blue = (("team", "red"),), (("team", "blue"),)
    async with ledger() as books:
        await books.apply(readings(running(cost_tags=red)))
        await books.apply(readings(job(cost_tags=blue)))
        assert shown(books, "billable_seconds", "false", tags=red) == 80
        assert shown(books, "jobs_created", tags=blue) is None


async def test_exposition_gets_seconds_and_since_when_they_count() -> None:
    async with ledger() as books:
        await books.apply(readings(job(billable_seconds=80.25)))
        series = books.totals(TARGET)
        billed = SeriesKey("sagemaker_training_billable_seconds_total", ("false",), ())
        took = SeriesKey("sagemaker_training_job_duration_seconds", ("Completed",), ())
        assert series[billed].value(billed.family) == Total(80.25, START)
        assert series[took].value(took.family) == Histogram((0.0,) * 5 + (1.0,) * 13, 100.0, START)


async def test_deleting_a_failed_job_takes_nothing_from_why_it_failed() -> None:
    failed = job(status="Failed", secondary_status="Failed", failure_category="CapacityError")
    deleting = job(status="Deleting", secondary_status="Failed", failure_category=None)
    for seen in permutations((failed, deleting)):
        async with ledger() as books:
            for one in seen:
                await books.apply(readings(one))
            counted = {key.labels: amounts for key, amounts in true(books).items() if "jobs_failed" in key.family}
            assert counted == {("CapacityError",): (1000,)}
