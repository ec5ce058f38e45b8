"""Test that a state file of an older schema is migrated in one transaction, or stays as it was."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.ledger.sqlite import SCHEMA, SqliteStore
from exporter.ledger.statefile import Connect, Schema
from exporter.ledger.store import StoreError
from tests.ledger.books import START, TARGET, Disk, job, ledger, readings, true
from tests.ledger.inspection import rows

_TODAY = SCHEMA.version
# What a later release may need: a table more, and a column of which old rows must have something.
_STEPS = {
    _TODAY: "CREATE TABLE note (text TEXT NOT NULL); INSERT INTO note VALUES ('migrated at ' || :now)",
    _TODAY + 1: "ALTER TABLE series ADD COLUMN unit TEXT NOT NULL DEFAULT ''; UPDATE series SET unit='ms'",
}
_LATER = Schema(_TODAY + 2, SCHEMA.script, _STEPS)


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """Return a file of the current version with totals in it."""
    path = tmp_path / "state.db"
    async with ledger(path) as books:
        await books.apply(readings(job(), job("second")), {TARGET: START})
    return path


def _open(path: Path, schema: Schema = _LATER, connect: Connect = sqlite3.connect) -> SqliteStore:
    return SqliteStore(str(path), START + 1000, connect, schema)


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        return version


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def test_older_file_is_migrated_step_by_step_and_loses_nothing(old: Path) -> None:
    jobs, totals = (rows(old, f"SELECT * FROM {table}") for table in ("job", "series"))
    store = _open(old)
    assert store.first_start == START
    assert len(store.snapshot().totals[TARGET]) == len(totals)
    store.close()
    assert rows(old, "SELECT * FROM job") == jobs
    assert rows(old, "SELECT * FROM series") == [(*row, "ms") for row in totals]
    assert rows(old, "SELECT text FROM note") == [(f"migrated at {START + 1000}",)]
    assert _version(old) == _TODAY + 2
    _open(old).close()
    assert rows(old, "SELECT count(*) FROM note") == [(1,)]


async def test_file_of_the_step_before_takes_only_the_steps_that_it_lacks(old: Path) -> None:
    _open(old, replace(_LATER, version=_TODAY + 1)).close()
    assert _version(old) == _TODAY + 1
    _open(old).close()
    assert _version(old) == _TODAY + 2


async def test_kill_at_any_moment_leaves_the_old_file_or_the_new_one(old: Path, tmp_path: Path) -> None:
    graves: list[Path] = []

    def bury(moment: int) -> None:
        """Copy what a process that is killed now would leave."""
        grave = tmp_path / f"killed-{moment}"
        grave.mkdir()
        for file in tmp_path.glob("state.db*"):
            shutil.copyfile(file, grave / file.name)
        graves.append(grave / old.name)

    async with ledger(old) as books:
        before = true(books)
    _open(old, connect=Disk(watch=bury).connect).close()
    versions = []
    for grave in graves:
        shutil.copytree(grave.parent, again := grave.parent.with_suffix(".again"))
        versions.append(_version(again / old.name))
        if versions[-1] == _TODAY:
            # The exporter of before still runs on it.
            async with ledger(grave) as books:
                assert true(books) == before
        _open(grave).close()
        assert _version(grave) == _TODAY + 2
    assert versions == sorted(versions)
    assert set(versions) == {_TODAY, _TODAY + 2}


async def test_migration_that_fails_leaves_the_file_as_it_was(old: Path, tmp_path: Path) -> None:
    before = _files(tmp_path)
    broken = replace(_LATER, migrations={**_STEPS, _TODAY + 1: "UPDATE series SET unit='ms'"})
    with pytest.raises(StoreError, match=r"state\.db: cannot be written: no such column: unit"):
        _open(old, broken)
    assert _version(old) == _TODAY
    assert _files(tmp_path) == before
    async with ledger(old) as books:
        assert true(books)


async def test_newer_file_is_refused_and_not_a_byte_of_it_changed(old: Path, tmp_path: Path) -> None:
    _open(old).close()
    before = _files(tmp_path)
    with pytest.raises(StoreError, match=rf"newer exporter \(schema {_TODAY + 2}, this one knows {_TODAY}\)"):
        async with ledger(old):
            pass
    assert _files(tmp_path) == before
