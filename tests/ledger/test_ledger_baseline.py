"""Test which jobs count: those of before the first start, those that are gone, and names used again."""

from __future__ import annotations

from exporter.ledger.accounting import Reading
from tests.ledger.books import START, TARGET, job, ledger, readings, running, shown, true


async def test_jobs_that_ended_before_the_first_start_are_the_baseline() -> None:
    async with ledger() as books:
        await books.apply(readings(job("old", START - 500), job("new"), running("long", START - 500)))
        assert shown(books, "jobs_created") == 2
        assert shown(books, "jobs_finished", "Completed") == 1


async def test_backfill_counts_what_ended_within_it() -> None:
    async with ledger(backfill=3600.0) as books:
        await books.apply(readings(job("old", START - 500), job("older", START - 5000)))
        assert shown(books, "jobs_finished", "Completed") == 1


async def test_job_of_the_baseline_is_closed_and_others_are_not() -> None:
    async with ledger() as books:
        old, new, live = job("old", START - 500), job("new"), running("live", START - 500)
        assert await books.closed([old, new, live]) == {old.identity}


async def test_settled_job_is_closed_until_it_changes() -> None:
    async with ledger() as books:
        await books.apply(readings(job()))
        assert await books.closed([job()]) == set()
        assert await books.open_jobs(TARGET) == [job().identity]
        await books.apply(readings(job(), settled=True))
        assert await books.closed([job(), job(modified=START + 999)]) == {job().identity}
        assert await books.closed([job(modified=START + 999)]) == set()
        assert await books.open_jobs(TARGET) == []


async def test_job_that_is_gone_keeps_what_was_counted() -> None:
    async with ledger() as books:
        await books.apply(readings(job()))
        before = true(books)
        await books.apply([Reading.last(job().identity)])
        assert true(books) == before
        assert await books.open_jobs(TARGET) == []


async def test_job_that_was_gone_before_it_was_read_never_counts() -> None:
    async with ledger() as books:
        await books.apply([Reading.last(job().identity)])
        assert not true(books)


async def test_name_used_again_is_another_job() -> None:
    async with ledger() as books:
        await books.apply(readings(job(), job(created=START + 900)))
        assert shown(books, "jobs_created") == 2
        assert shown(books, "billable_seconds", "false") == 160
