"""Test the state file: it survives restarts and kills, has one owner, and stays unchanged if it is unusable."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exporter.ledger.store import StoreError
from tests.ledger.books import START, TARGET, Disk, Time, job, ledger, readings, running, shown, true

_HOLD = """
import asyncio, sys
from exporter.ledger.opening import open_ledger

async def hold():
    async with open_ledger(sys.argv[1], lambda: 1.0):
        print("open", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def _refusal(path: Path) -> str:
    with pytest.raises(StoreError) as refused:
        async with ledger(path):
            pass
    return str(refused.value)


async def test_restart_keeps_totals_marks_and_open_jobs(path: Path) -> None:
    async with ledger(path) as books:
        await books.begin(TARGET)
        await books.apply(readings(job(), running("live")), {TARGET: START + 50})
        before = books.totals(TARGET)
    async with ledger(path, Time(START + 1000)) as books:
        assert books.totals(TARGET) == before
        assert books.marks(TARGET).discovered_until == START + 50
        assert set(await books.open_jobs(TARGET) or ()) == {job().identity, running("live").identity}
        await books.apply(readings(job()))
        assert books.totals(TARGET) == before


async def test_shown_total_outlives_a_restart_after_it_was_lowered(path: Path) -> None:
    async with ledger(path) as books:
        await books.apply(readings(job(), job(billable_seconds=50.0, modified=START + 200)))
        await books.apply(readings(job("b", billable_seconds=90.0)))
        await books.apply(readings(job("b", billable_seconds=10.0, modified=START + 200)))
        assert shown(books, "billable_seconds", "false") == 140
    async with ledger(path) as books:
        assert shown(books, "billable_seconds", "false") == 140
        await books.apply(readings(job("c", billable_seconds=90.0)))
        assert shown(books, "billable_seconds", "false") == 150


async def test_first_start_is_that_of_the_file(path: Path) -> None:
    async with ledger(path):
        pass
    async with ledger(path, Time(START + 9999), backfill=60.0) as books:
        assert books.baseline == START - 60
        await books.apply(readings(job()))
        assert shown(books, "jobs_finished", "Completed") == 1


async def test_second_ledger_on_the_file_is_refused(path: Path) -> None:
    async with ledger(path) as books:
        assert "another process has it open" in await _refusal(path)
        await books.apply(readings(job()))
        assert books.write_errors == 0


@pytest.mark.process
async def test_second_process_on_the_file_is_refused(path: Path) -> None:
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", _HOLD, str(path), stdin=PIPE, stdout=PIPE)
    assert other.stdout is not None
    assert await other.stdout.readline() == b"open\n"
    try:
        assert "another process has it open" in await _refusal(path)
    finally:
        other.kill()
        await other.wait()
    async with ledger(path) as books:
        await books.apply(readings(job()))
        assert shown(books, "jobs_created") == 1


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version=99")


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE dear (memory TEXT)")


def _text(path: Path) -> None:
    path.write_text("not a database, but somebody's notes\n" * 100)


def _torn(path: Path) -> None:
    path.write_bytes(_contents(path)[: path.stat().st_size // 2])


def _scribbled(path: Path) -> None:
    path.write_bytes(_contents(path)[:4096].ljust(path.stat().st_size, b"\xff"))


def _write_nothing(path: Path) -> None:
    path.touch()


def _contents(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (_newer, "newer exporter (schema 99"),
        (_foreign, "database of another program"),
        (_text, "not a usable state file"),
        (_torn, "restore a copy"),
        (_scribbled, "restore a copy"),
    ],
)
async def test_unusable_file_is_refused_and_left_as_it_is(made: Callable[[Path], None], says: str, path: Path) -> None:
    async with ledger(path) as books:
        await books.apply(readings(*(job(f"job-{n}") for n in range(200))))
    made(path)
    before = _contents(path)
    message = await _refusal(path)
    assert says in message
    assert str(path) in message
    assert _contents(path) == before


@pytest.mark.parametrize("name", ["missing/state.db", "n" * 300, "."])
async def test_path_that_cannot_be_a_file_is_refused(name: str, tmp_path: Path) -> None:
    assert str(tmp_path) in await _refusal(tmp_path / name)


async def test_empty_file_is_a_new_one(path: Path) -> None:
    _write_nothing(path)
    async with ledger(path) as books:
        await books.apply(readings(job()))
        assert shown(books, "jobs_created") == 1


async def test_file_can_be_opened_whenever_its_process_was_killed(path: Path, tmp_path: Path) -> None:
    deaths: list[Path] = []

    def copy(moment: int) -> None:
        """Return a copy of what a process that is killed now would leave."""
        grave = tmp_path / f"killed-{moment}"
        grave.mkdir()
        for file in tmp_path.glob("state.db*"):
            shutil.copyfile(file, grave / file.name)
        deaths.append(grave / path.name)

    disk = Disk(watch=copy)
    async with ledger(path, connect=disk.connect) as books:
        await books.apply(readings(job(), running("live")))
        half = true(books)
        await books.apply(readings(job(billable_seconds=95.0, modified=START + 300), job("live")))
        whole = true(books)
    assert len(deaths) > 20
    reached = []
    for grave in deaths:
        async with ledger(grave) as books:
            found = true(books)
            reached.append([{}, half, whole].index(found))
            await books.apply(readings(job(billable_seconds=95.0, modified=START + 300), job("live")))
            assert true(books) == whole
    assert reached == sorted(reached)
    assert set(reached) == {0, 1, 2}
