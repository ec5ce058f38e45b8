"""Test a failing disk: the totals do not advance, and nothing is lost once it works again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from exporter.ledger.store import StoreError
from tests.ledger.books import DAY, START, TARGET, Disk, Time, job, ledger, readings, running, shown, true


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "state.db" if request.param == "file" else ""


async def test_totals_stand_still_while_nothing_can_be_written(place: Path | str) -> None:
    disk = Disk()
    async with ledger(place, connect=disk.connect) as books:
        await books.begin(TARGET)
        await books.apply(readings(running()))
        before = books.totals(TARGET)
        disk.broken = True
        await books.apply(readings(job()))
        await books.apply(readings(job("second"), job(billable_seconds=99.0, modified=START + 300)))
        assert books.totals(TARGET) == before
        assert books.write_errors == 2
        assert books.pending == 2
        assert books.last_error is not None
        assert await books.closed([job()]) == set()
        disk.broken = False
        await books.apply(readings(job("third")))
        assert shown(books, "jobs_created") == 3
        assert shown(books, "billable_seconds", "false") == 99 + 80 + 80
        assert books.write_errors == 2
        assert books.pending == 0
        assert books.last_error is None


async def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    disk = Disk()
    async with ledger(tmp_path / "state.db", connect=disk.connect) as books:
        disk.broken = True
        await books.apply(readings(job()))
        disk.broken = False
    async with ledger(tmp_path / "state.db") as books:
        assert shown(books, "billable_seconds", "false") == 80


async def test_known_series_come_once_the_disk_works(place: Path | str) -> None:
    disk = Disk()
    async with ledger(place, connect=disk.connect) as books:
        disk.broken = True
        await books.begin(TARGET)
        assert books.write_errors == 1
        disk.broken = False
        await books.apply(readings(running()))
        assert shown(books, "jobs_finished", "Stopped") == 0


async def test_broken_disk_keeps_marks_and_jobs(place: Path | str) -> None:
    disk, time = Disk(), Time()
    async with ledger(place, time, connect=disk.connect) as books:
        await books.apply(readings(job(), settled=True), {TARGET: START + 50})
        time.now = START + 40 * DAY
        disk.broken = True
        await books.forget(TARGET, DAY, time.now)
        await books.apply((), {TARGET: START + 90})
        assert books.marks(TARGET) == (START + 50, 0)
        assert books.write_errors == 2
        disk.broken = False
        await books.apply(readings(job()))
        assert shown(books, "jobs_created") == 1


async def test_disk_that_fails_from_the_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: database or disk is full"):
        async with ledger(tmp_path / "state.db", connect=Disk(broken=True).connect):
            pass


async def test_failure_at_any_moment_loses_and_doubles_nothing(place: Path | str) -> None:
    """`dies_at` counts from the second batch on, and each moment has its own ledger."""
    died = 0
    for moment in range(1, 200):
        where = place.with_name(f"{moment}.db") if isinstance(place, Path) else place
        disk = Disk()
        async with ledger(where, connect=disk.connect) as books:
            await books.apply(readings(job(), running("live")))
            before = true(books)
            disk.moments, disk.dies_at = 0, moment
            await books.apply(readings(job(billable_seconds=95.0, modified=START + 300), job("live")))
            failed, disk.dies_at = books.write_errors, None
            if failed:
                assert true(books) == before
            await books.apply(readings(job(billable_seconds=95.0, modified=START + 300), job("live")))
            assert shown(books, "billable_seconds", "false") == 95 + 80
            assert shown(books, "jobs_created") == 2
            assert shown(books, "jobs_finished", "Completed") == 2
        died += failed
        if not failed:
            break
    assert died == moment - 1 > 5


async def test_death_at_any_moment_leaves_before_or_after(tmp_path: Path) -> None:
    late = readings(job(billable_seconds=95.0, modified=START + 300), job("live"))
    async with ledger() as books:
        await books.apply(late)
        after = true(books)
    ends = set()
    for moment in range(1, 200):
        where, disk = tmp_path / f"{moment}.db", Disk()
        books = ledger(where, connect=disk.connect)
        await books.__aenter__()
        await books.apply(readings(job(), running("live")))
        before = true(books)
        disk.moments, disk.dies_at = 0, moment
        await books.apply(late)
        failed = books.write_errors
        await books.__aexit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        async with ledger(where) as books:
            ends.add(true(books) == after)
            assert true(books) in (before, after)
            await books.apply(late)
            assert true(books) == after
        if not failed:
            break
    assert ends == {True, False}


async def test_reading_that_nobody_waited_for_is_shown_with_the_next(place: Path | str) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    def wait(moment: int) -> None:
        begun.set()
        cancelled.wait(60)

    disk = Disk()
    async with ledger(place, connect=disk.connect) as books:
        disk.watch = wait
        task = asyncio.create_task(books.apply(readings(job())))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        await books.apply(readings(job()))
        assert shown(books, "billable_seconds", "false") == 80
        assert books.pending == 0


async def test_file_that_another_process_took_meanwhile_stops_nobody(tmp_path: Path) -> None:
    """After an error the file is reopened, and another process may have locked it by then."""
    path, disk = tmp_path / "state.db", Disk()
    async with ledger(path, connect=disk.connect) as books:
        await books.apply(readings(running()))
        disk.broken = True
        await books.apply(readings(job()))
        disk.broken = False
        async with ledger(path):
            assert await books.open_jobs(TARGET) is None
            assert await books.recorded([job().identity]) is None
            assert await books.closed([job()]) == set()
            await books.apply(readings(job()))
            assert "another process" in str(books.last_error)
        assert await books.open_jobs(TARGET) == [job().identity]
        await books.apply(())
        assert shown(books, "jobs_finished", "Completed") == 1


async def test_a_file_that_vanishes_is_never_begun_anew_while_its_totals_are_shown(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "state.db"
    async with ledger(path, connect=disk.connect) as books:
        await books.begin(TARGET)
        await books.apply(readings(job()))
        disk.broken = True
        await books.apply(readings(job("second")))
        _wipe(tmp_path)
        disk.broken = False
        await books.apply(readings(job("third")))
        assert shown(books, "jobs_created") == 1
        assert books.write_errors == 2
        assert "is gone" in str(books.last_error)


def _wipe(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
