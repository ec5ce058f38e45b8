"""Test state files that are deleted, replaced or changed while they are open: what is reported, and what is kept."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.ledger.ledger import Ledger
from tests.ledger.books import TARGET, contents, job, ledger, log, readings, running, shown, true
from tests.logged import messages


async def counted_on(path: Path) -> tuple[Ledger, float]:
    books = ledger(path)
    await books.__aenter__()
    await books.apply(readings(job(), running("live")))
    return books, shown(books, "jobs_created") or 0.0


def delete_file(path: Path) -> None:
    path.unlink()


def delete_both(path: Path) -> None:
    path.unlink()
    log(path).unlink()


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.mkdir()


@pytest.mark.parametrize("lose", [delete_file, delete_both, move_folder])
@pytest.mark.parametrize("end", ["kill", "stop", "idle"])
async def test_a_file_that_is_deleted_is_written_anew(
    path: Path, tmp_path: Path, lose: Callable[[Path], None], end: str, caplog: pytest.LogCaptureFixture
) -> None:
    books, _ = await counted_on(path)
    lose(path)
    if end != "idle":
        await books.apply(readings(job("second")))
        assert books.write_errors == 0
        assert shown(books, "jobs_created") == 3
    before, grave = true(books), tmp_path / "grave"
    if end == "kill":
        shutil.copytree(path.parent, grave)
    await books.__aexit__(None, None, None)
    assert "the state file was deleted while it was open; it is restored with all its content" in messages(caplog)
    async with ledger((grave if end == "kill" else path.parent) / path.name) as again:
        assert true(again) == before
        await again.apply(readings(job("live")))
        assert shown(again, "jobs_created") == (2 if end == "idle" else 3)
    assert os.listdir(path.parent) == [path.name]


async def test_a_file_that_cannot_be_written_anew_is_held_until_it_can(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    books, before = await counted_on(path)
    path.parent.rename(tmp_path / "moved")
    for _ in range(3):
        await books.apply(readings(job("second")))
    assert books.write_errors == 3
    assert "do not stop the exporter before this succeeds" in str(books.last_error)
    assert shown(books, "jobs_created") == before
    path.parent.mkdir()
    await books.apply(readings(job("third")))
    assert shown(books, "jobs_created") == 4
    # Whether INFO is recorded too depends on the tests before.
    told = [r.levelname for r in caplog.records if r.name == "exporter.ledger.ledger" and r.levelno > logging.INFO]
    assert told == ["ERROR"]
    await books.__aexit__(None, None, None)
    async with ledger(path) as again:
        assert shown(again, "jobs_created") == 4


async def test_a_file_that_is_replaced_is_not_overwritten(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    async with ledger(path) as books:
        await books.apply(readings(job("zeroth")))
    shutil.copyfile(path, old)
    books, before = await counted_on(path)
    copy = old.read_bytes()
    shutil.copyfile(old, tmp_path / "copy.db")
    (tmp_path / "copy.db").rename(path)
    await books.apply(readings(job("second")))
    assert "was replaced by another file while it was open; its content is saved in" in str(books.last_error)
    await books.apply(readings(job("second")))
    assert "has lower totals than were shown" in str(books.last_error)
    assert shown(books, "jobs_created") == before == 3
    (kept,) = path.parent.glob("state.db.kept-*")
    await books.__aexit__(None, None, None)
    assert contents(path.parent)[path.name] == copy
    async with ledger(kept) as again:
        assert shown(again, "jobs_created") == 3
    async with ledger(path) as again:
        assert shown(again, "jobs_created") == 1


async def test_a_file_that_is_replaced_by_its_like_is_gone_on_with(path: Path, tmp_path: Path) -> None:
    books, _ = await counted_on(path)
    shutil.copyfile(path, tmp_path / "copy.db")
    (tmp_path / "copy.db").rename(path)
    for _ in range(2):
        await books.apply(readings(job("second")))
    assert (books.write_errors, books.last_error) == (1, None)
    assert shown(books, "jobs_created") == 3
    await books.__aexit__(None, None, None)
    async with ledger(path) as again:
        assert shown(again, "jobs_created") == 3


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_text("not a database\n" * 1000)


@pytest.mark.parametrize("spoil", [truncate, halve, overwrite])
async def test_a_file_that_is_changed_in_place_is_told(path: Path, spoil: Callable[[Path], None]) -> None:
    books, before = await counted_on(path)
    spoil(path)
    for number in range(3):
        await books.apply(readings(job("second")))
        assert books.write_errors == number + 1
    assert str(books.last_error).startswith(f"{path}: ")
    assert shown(books, "jobs_created") == before
    await books.__aexit__(None, None, None)


async def test_a_log_that_is_deleted_costs_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    books, _ = await counted_on(path)
    log(path).unlink()
    await books.apply(readings(job("second")))
    assert (books.write_errors, shown(books, "jobs_created")) == (0, 3)
    assert "the log of the state file was deleted or replaced; reopening both" in messages(caplog)
    await books.__aexit__(None, None, None)
    async with ledger(path) as again:
        assert shown(again, "jobs_created") == 3


async def test_write_errors_are_logged_when_they_begin_and_when_they_end(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    books, _ = await counted_on(path)
    overwrite(path)
    for _ in range(4):
        await books.apply(readings(job("second")))
    told = [record for record in caplog.records if record.name == "exporter.ledger.ledger"]
    failure = "writing the totals failed; they do not advance, and what is new is kept in memory"
    assert [record.getMessage() for record in told] == [failure] * 2
    reasons = [vars(record)["fields"]["reason"] for record in told]
    assert reasons[0].endswith("was changed by another program while it was open; reopening it")
    assert reasons[1] not in ("", reasons[0])
    async with ledger(path.with_name("other.db")) as other:
        await other.begin(TARGET)
        await other.apply(readings(job(), running("live"), job("more")))
    path.with_name("other.db").replace(path)
    caplog.clear()
    await books.apply(readings(job("second")))
    assert messages(caplog) == ["writing the totals works again"]
    await books.__aexit__(None, None, None)
