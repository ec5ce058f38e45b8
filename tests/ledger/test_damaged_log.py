"""Test the write-ahead log that a killed exporter leaves, whole and damaged: no total is lowered in silence."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.ledger import openfile, statefile, wal
from exporter.ledger.store import StoreError
from tests.ledger.books import START, Time, contents, job, ledger, log, readings, shown
from tests.logged import text


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
