"""Test pruning: jobs that no listing can return are pruned and never count again; all others are kept."""

from __future__ import annotations

from tests.ledger.books import DAY, START, TARGET, Disk, Time, job, ledger, readings, running, shown, true


async def test_forgotten_jobs_never_count_again() -> None:
    time = Time()
    late = running("late", START + 20)
    async with ledger(time=time) as books:
        await books.apply(readings(job(), settled=True))
        await books.apply(readings(late))
        before = true(books)
        time.now = START + 40 * DAY
        await books.forget(TARGET, 30 * DAY, time.now)
        assert books.marks(TARGET).forgotten_ms == job().identity.created_ms
        assert await books.closed([job()]) == {job().identity}
        await books.apply(readings(job()))
        assert true(books) == before
        await books.apply(readings(job("late", START + 20)))
        assert shown(books, "jobs_finished", "Completed") == 2


async def test_young_jobs_are_not_forgotten() -> None:
    time = Time()
    async with ledger(time=time) as books:
        await books.apply(readings(job(), settled=True))
        time.now = START + 31 * DAY
        await books.forget(TARGET, 1 * DAY, time.now)
        await books.apply(readings(job(billable_seconds=85.0, modified=START + 300)))
        assert shown(books, "billable_seconds", "false") == 85


async def test_nothing_is_forgotten_from_the_time_of_a_job_that_is_followed_and_not_settled() -> None:
    """After a long downtime, jobs may be listed but not described yet when pruning runs."""
    time = Time()
    listed = job("listed", START + 5)
    async with ledger(time=time) as books:
        await books.apply(readings(job(), settled=True))
        await books.apply(readings(running("live", START + 2)))
        time.now = START + 200 * DAY
        await books.forget(TARGET, 30 * DAY, time.now, [listed.identity, running("live", START + 2).identity])
        await books.apply(readings(listed, job("live", START + 2)))
        assert shown(books, "jobs_finished", "Completed") == 3
        assert shown(books, "jobs_created") == 3


async def test_job_that_waits_to_be_written_is_not_forgotten() -> None:
    time, disk = Time(), Disk()
    async with ledger(time=time, connect=disk.connect) as books:
        await books.apply(readings(job(), settled=True))
        disk.broken = True
        await books.apply(readings(running("waiting", START + 5)))
        disk.broken, time.now = False, START + 200 * DAY
        await books.forget(TARGET, 30 * DAY, time.now)
        await books.apply(readings(job("waiting", START + 5)))
        assert shown(books, "jobs_finished", "Completed") == 2
