"""Test that an intact database with rows that no exporter can have written is refused and left unchanged."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import StoreError
from tests.ledger.books import START, TARGET, Disk, job, ledger, readings

_JOB = "/".join((*TARGET, "train"))
_CREATED = "sagemaker_training_jobs_created_total"


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _bury(folder: Path, grave: Path) -> None:
    grave.mkdir()
    for file in folder.glob("state.db*"):
        shutil.copyfile(file, grave / file.name)


async def _refusal(path: Path) -> str:
    with pytest.raises(StoreError) as refused:
        async with ledger(path):
            pass
    return str(refused.value)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE job SET facts='{\"half\":'", f"table job: invalid data in {_JOB}"),
        ("UPDATE job SET facts=x'ff00'", _JOB),
        ("UPDATE job SET facts='{}'", _JOB),
        ("UPDATE job SET facts=''", _JOB),
        ("UPDATE job SET facts=7", _JOB),
        ("""UPDATE job SET facts='["yesterday",[],{}]'""", _JOB),
        ("UPDATE job SET facts='[1,[[1,2]],{}]'", _JOB),
        ("""UPDATE job SET facts='[1,[],{"mood":[1,2]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"seconds":[1,"many"]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"seconds":[1,1e300]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"seconds":["now",1]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"seconds":3}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"outcome":[1,"Completed"]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"types":[1,[["ml.m5.large"]]]}]'""", _JOB),
        ("""UPDATE job SET facts='[1,[],{"phases":[1,7]}]'""", _JOB),
        ("UPDATE job SET created_ms='once'", f"{_JOB}/once"),
        ("UPDATE job SET settled='perhaps'", _JOB),
        ("UPDATE series SET true='[1'", "table series: invalid data"),
        ("UPDATE series SET true='{}'", "table series"),
        ("UPDATE series SET shown='[0.5]'", "table series"),
        ("UPDATE series SET shown='[1,2]'", "table series"),
        ("UPDATE series SET created='never'", "table series"),
        (f"UPDATE series SET labels='nobody' WHERE family='{_CREATED}'", _CREATED),
        (f"UPDATE series SET labels='[[],[[1]]]' WHERE family='{_CREATED}'", _CREATED),
        (f"UPDATE series SET labels='[[7],[]]' WHERE family='{_CREATED}'", _CREATED),
        (f"""UPDATE series SET labels='[["too many"],[]]' WHERE family='{_CREATED}'""", _CREATED),
        (f"""UPDATE series SET labels='[[],[["team","a"],["team","b"]]]' WHERE family='{_CREATED}'""", _CREATED),
        (f"UPDATE series SET family='joy' WHERE family='{_CREATED}'", "/joy/"),
        ("UPDATE target SET discovered_until='later'", "table target: invalid data in " + "/".join(TARGET)),
        ("UPDATE target SET forgotten_ms=0.5", "table target"),
        ("UPDATE first_start SET seconds='long ago'", "table first_start"),
        ("DELETE FROM first_start", "table first_start"),
        ("ALTER TABLE job RENAME TO work", "no such table: job"),
    ],
)
async def test_row_of_nonsense_is_refused_and_the_file_left_as_it_is(sql: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with ledger(path) as books:
        await books.apply(readings(job()), {TARGET: START})
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(sql).rowcount != 0
    before = _contents(tmp_path)
    message = await _refusal(path)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert _contents(tmp_path) == before


async def test_damage_beside_a_log_is_refused_and_both_left_as_they_are(tmp_path: Path) -> None:
    """The exporter was killed, and the disk then damaged the file."""
    path, grave = tmp_path / "state.db", tmp_path / "grave"
    async with ledger(path) as books:
        await books.apply(readings(*(job(f"job-{n}") for n in range(200))))
    async with ledger(path) as books:
        await books.apply(readings(job("late")))
        _bury(tmp_path, grave)
    ruined = grave / path.name
    ruined.write_bytes(ruined.read_bytes()[:4096].ljust(ruined.stat().st_size, b"\xff"))
    before = _contents(grave)
    assert set(before) == {"state.db", "state.db-wal"}
    assert "restore a copy" in await _refusal(ruined)
    assert _contents(grave) == before


async def test_nonsense_that_comes_to_light_later_is_an_error_like_that_of_a_disk() -> None:
    disk = Disk()
    async with ledger(connect=disk.connect) as books:
        await books.apply(readings(job()))
        assert disk.db is not None
        disk.db.execute("UPDATE job SET facts='?'")
        await books.apply(readings(job()))
        assert books.write_errors == 1
        assert f"table job: invalid data in {_JOB}" in str(books.last_error)
        assert await books.closed([job()]) == set()


def test_store_that_refuses_its_file_lets_go_of_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqliteStore(str(path), START).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM first_start")
    for _ in range(2):
        with pytest.raises(StoreError, match="table first_start: invalid data in it"):
            SqliteStore(str(path), START)
