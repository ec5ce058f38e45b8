"""Test deleted, replaced and damaged state files: every loss is reported, and everything that can be kept is kept."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.ledger import openfile, statefile, wal
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import StoreError
from tests.ledger.books import START, TARGET, Time, job, ledger, readings, running, shown, true
from tests.logged import messages, text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "state.db"


def log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


async def refusal(path: Path) -> str:
    """Return why the file is refused, and check that nothing in its folder changes."""
    before = contents(path.parent)
    with pytest.raises(StoreError) as refused:
        async with ledger(path):
            pass
    assert contents(path.parent) == before
    assert str(refused.value).startswith(f"{path}: ")
    return str(refused.value)


async def killed(path: Path, grave: Path, number: int = 20, time: Time | None = None) -> float:
    """Leave in `grave` what a killed exporter leaves that counted so many jobs, and return the total that it showed."""
    async with ledger(path, time) as books:
        for each in range(number):
            await books.apply(readings(job(f"job-{each}")))
        shutil.copytree(path.parent, grave)
        return shown(books, "jobs_created") or 0.0


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave like old exporters, which left committed totals in the write-ahead log."""
    for module in (openfile, statefile):
        monkeypatch.setattr(module, "empty_log", lambda db: None)


async def test_what_was_shown_is_in_the_file_itself(path: Path, tmp_path: Path) -> None:
    grave = tmp_path / "grave"
    counted = await killed(path, grave)
    log(grave / path.name).unlink()
    async with ledger(grave / path.name) as books:
        assert shown(books, "jobs_created") == counted == 20


async def test_a_damaged_log_never_lowers_a_total_in_silence(path: Path, tmp_path: Path) -> None:
    grave = tmp_path / "grave"
    counted = await killed(path, grave)
    size = log(grave / path.name).stat().st_size
    for place in (*range(wal.HEADER), *range(wal.HEADER, size, size // 60), size - 1):
        ruin = tmp_path / f"ruin-{place}"
        shutil.copytree(grave, ruin)
        damage(log(ruin / path.name), place)
        # Either the file is refused, or nothing is missing.
        with suppress(StoreError):
            async with ledger(ruin / path.name) as books:
                assert shown(books, "jobs_created") == counted


def damage(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 0x55
    file.write_bytes(data)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    ("part", "what"),
    [
        (0.0, "its first bytes are not those of a log"),
        (0.1, "transactions in it cannot be read"),
        (0.5, "transactions"),
    ],
)
async def test_a_log_that_lost_transactions_is_refused(path: Path, tmp_path: Path, part: float, what: str) -> None:
    grave = tmp_path / "grave"
    await killed(path, grave)
    file = grave / path.name
    damage(log(file), int(part * log(file).stat().st_size))
    message = await refusal(file)
    assert what in message
    assert "move state.db-wal away to continue with what the file has" in message
    log(file).rename(tmp_path / "away")
    async with ledger(file) as books:
        await books.apply(readings(job()))


@pytest.mark.usefixtures("as_before")
async def test_the_log_of_an_earlier_version_is_taken_as_a_whole(path: Path, tmp_path: Path) -> None:
    grave = tmp_path / "grave"
    counted = await killed(path, grave)
    assert wal.read(log(grave / path.name)).readable > 20
    async with ledger(grave / path.name) as books:
        assert shown(books, "jobs_created") == counted


@pytest.mark.usefixtures("as_before")
async def test_a_transaction_that_a_power_cut_tore_is_left_out(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grave = tmp_path / "grave"
    await killed(path, grave)
    file = grave / path.name
    damage(log(file), log(file).stat().st_size - 1)
    async with ledger(file) as books:
        assert shown(books, "jobs_created") == 19
    assert "no total that was shown is lost, because each transaction is written to the state file" in text(caplog)
    assert "the last transaction in the log is incomplete, as after a power cut, and is ignored" in text(caplog)
    assert "log=state.db-wal" in text(caplog)


@pytest.mark.parametrize("end", [0, 1, 31, 32, 33, 40])
async def test_a_log_that_was_just_begun_is_no_damage(path: Path, tmp_path: Path, end: int) -> None:
    grave = tmp_path / "grave"
    await killed(path, grave, 2)
    whole = log(grave / path.name)
    whole.write_bytes(whole.read_bytes()[:end])
    async with ledger(grave / path.name) as books:
        assert shown(books, "jobs_created") == 2


@pytest.mark.parametrize("left", ["missing", "empty"])
async def test_a_log_without_its_file_is_refused(path: Path, tmp_path: Path, left: str) -> None:
    grave = tmp_path / "grave"
    await killed(path, grave)
    file = grave / path.name
    file.unlink()
    if left == "empty":
        file.touch()
    assert "is missing or empty, but its log state.db-wal is there" in await refusal(file)


@pytest.mark.parametrize("number", [1, 100])
async def test_the_log_of_another_file_is_refused(path: Path, tmp_path: Path, number: int) -> None:
    mine, others = tmp_path / "mine", tmp_path / "others"
    await killed(path, mine, number)
    (tmp_path / "second").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openfile, "empty_log", lambda db: None)
        patch.setattr(statefile, "empty_log", lambda db: None)
        await killed(tmp_path / "second" / path.name, others, 3, Time(START + 5))
    shutil.copyfile(log(others / path.name), log(mine / path.name))
    assert "state.db-wal is the log of another file" in await refusal(mine / path.name)


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
    failure = "writing the totals failed; they do not advance, new readings are kept in memory"
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
