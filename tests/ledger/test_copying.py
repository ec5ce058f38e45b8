"""Test that totals are copied from a file to a database and back, and never over others."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from exporter import cli
from exporter.ledger.series import Series, SeriesKey
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.store import Content, JobRecord, LedgerUpdate, Snapshot, StoreError, TargetMarks
from exporter.training.facts import Facts
from exporter.training.job import Identity
from tests.ledger.books import START, TARGET, job
from tests.ledger.replicas import opened

pytestmark = pytest.mark.process

_COPY = ("state", "copy", "--from")
_OTHER = ("444455556666", "eu-west-1")
_KEY = SeriesKey("sagemaker_training_jobs_created_total", (), (("team", "vision"),))
_TOTALS = {TARGET: {_KEY: Series((2000,), (3000,), START)}, _OTHER: {_KEY: Series((7000,), (7000,), START + 1)}}


def _filled(path: Path, number: int = 3, prices: str = "prices") -> Content:
    records = [
        JobRecord(Identity(*target, f"job-{each}", 5000 + each), Facts.of(job(f"job-{each}")), bool(each % 2))
        for target in (TARGET, _OTHER)
        for each in range(number)
    ]
    store = SqliteStore(str(path), START)
    with store.transaction() as transaction:
        transaction.write(LedgerUpdate(records, _TOTALS, {TARGET: TargetMarks(START, 7)}, {"us-east-1": prices}))
    content = store.content()
    store.close()
    return content


def _copy(source: object, destination: object) -> int:
    return cli.main([*_COPY, str(source), "--to", str(destination)])


def _sorted(content: Content) -> Content:
    return content._replace(records=sorted(content.records, key=lambda record: record.identity))


def test_everything_is_copied_to_a_database_and_back(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _filled(tmp_path / "state.db")
    assert (before.empty, len(before.records)) == (False, 6)
    assert _copy(tmp_path / "state.db", database) == 0
    assert capsys.readouterr().out == "copied 6 jobs and the totals of 2 targets\n"
    assert _copy(database, tmp_path / "back.db") == 0
    back = SqliteStore(str(tmp_path / "back.db"), START + 99)
    assert _sorted(back.content()) == _sorted(before)
    assert back.first_start == START
    back.close()


def test_a_replica_goes_on_with_what_was_copied(tmp_path: Path, database: str) -> None:
    _filled(tmp_path / "state.db")
    assert _copy(tmp_path / "state.db", database) == 0
    replica = opened(database)
    held = replica.hold(TARGET)
    assert held is not None
    assert held.released
    assert held.snapshot == Snapshot({TARGET: _TOTALS[TARGET]}, {TARGET: TargetMarks(START, 7)})
    assert sorted(identity.name for identity in replica.open_jobs(TARGET)) == ["job-0", "job-2"]
    assert replica.first_start == START
    replica.close()


def test_a_place_that_is_not_empty_is_left_as_it_is(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _filled(tmp_path / "state.db")
    assert _copy(tmp_path / "state.db", database) == 0
    _filled(tmp_path / "other.db", 1)
    capsys.readouterr()
    assert _copy(tmp_path / "other.db", database) == 1
    assert "is not empty; totals are copied into an empty place only" in capsys.readouterr().err
    assert _copy(database, tmp_path / "other.db") == 1
    assert "is not empty" in capsys.readouterr().err
    with sqlite3.connect(tmp_path / "other.db") as db:
        assert db.execute("SELECT count(*) FROM job").fetchone() == (2,)


def test_a_database_that_replicas_use_is_neither_read_nor_written(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _filled(tmp_path / "state.db")
    replica = opened(database)
    for source, destination in ((tmp_path / "state.db", database), (database, tmp_path / "new.db")):
        assert _copy(source, destination) == 1
        assert "is in use by replicas; stop them first" in capsys.readouterr().err
    replica.close()
    assert _copy(tmp_path / "state.db", database) == 0


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("gone.db", "new.db", "there is no such file"),
        ("foreign.db", "new.db", "is a database of another program; name another file"),
        ("postgresql://me:secret@a/b", "new.db", "the password in --password-file, PGPASSWORD or a passfile"),
        ("empty.db", "new.db", "is empty; there is nothing to copy"),
        ("folder", "new.db", "folder: is not a file"),
    ],
)
def test_bad_places_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    destination: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    SqliteStore("empty.db", START).close()
    Path("folder").mkdir()
    with closing(sqlite3.connect("foreign.db")) as db:
        db.execute("CREATE TABLE theirs (one)")
    assert _copy(source, destination) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "secret" not in told
    assert "state." not in told
    assert not (tmp_path / destination).exists()


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("", "new.db", "--from: is empty (allowed: the path of a file, or the URL of a database)"),
        ("state.db", "", "--to: is empty (allowed: the path of a file, or the URL of a database)"),
        ("state.db", "./state.db", "--to: is the same place as --from (allowed: a new file or an empty database)"),
        ("state.db", "link.db", "--to: is the same place as --from (allowed: a new file or an empty database)"),
        ("state.db", "mysql://a/b", "(allowed: a URL such as postgresql://exporter@db.example.org/sagemaker_exporter)"),
        ("state.db", "folder", "folder: is not a file"),
        ("state.db", "pipe", "pipe: is not a file"),
    ],
)
def test_nothing_is_copied_where_nothing_can_be_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    destination: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _filled(Path("state.db"))
    Path("folder").mkdir()
    Path("link.db").symlink_to("state.db")
    os.mkfifo("pipe")
    before = sorted(tmp_path.rglob("*"))
    assert _copy(source, destination) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_database_without_tables_is_no_source(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _copy(database, tmp_path / "new.db") == 1
    assert "has no tables of an exporter" in capsys.readouterr().err
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("PRAGMA user_version", "is empty; there is nothing to copy"),
        ("CREATE TABLE one (two); DROP TABLE one", "the state file is gone"),
    ],
)
def test_a_source_without_tables_gets_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], statements: str, said: str
) -> None:
    # An exporter that found them there would count all jobs of the past as new.
    source = tmp_path / "empty.db"
    with closing(sqlite3.connect(source)) as db:
        db.executescript(statements)
    before = source.read_bytes()
    assert _copy(source, tmp_path / "new.db") == 1
    assert f"{source}: {said}" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("there", [False, True])
def test_a_copy_that_fails_leaves_no_file_that_it_created(
    tmp_path: Path, database: str, there: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _filled(tmp_path / "state.db")
    assert _copy(tmp_path / "state.db", database) == 0
    folder = tmp_path / "new"
    folder.mkdir()
    if there:
        SqliteStore(str(folder / "new.db"), START).close()

    def fail(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(SqliteStore, "fill", fail)
    assert _copy(database, folder / "new.db") == 1
    assert "no space left" in capsys.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["new.db"] * there


def test_what_is_wrong_with_a_password_names_no_setting_of_the_configuration(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _filled(tmp_path / "state.db")
    empty = tmp_path / "password"
    empty.write_text("\n")
    for file, said in (
        (empty, "the password file is empty; write the password into it"),
        (tmp_path / "gone", "No such file or directory"),
    ):
        assert cli.main([*_COPY, str(tmp_path / "state.db"), "--to", database, "--password-file", str(file)]) == 1
        told = capsys.readouterr().err
        assert f"{file}: " in told
        assert said in told
        assert "state.url" not in told
        assert "state.password_file" not in told


def test_a_password_between_two_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _filled(tmp_path / "state.db")
    flags = ("--to", str(tmp_path / "new.db"), "--password-file", "password")
    assert cli.main([*_COPY, str(tmp_path / "state.db"), *flags]) == 1
    assert "--password-file: means nothing without a URL" in capsys.readouterr().err
    assert not (tmp_path / "new.db").exists()


_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


# What is longer than the buffers of a socket is still being sent.
@pytest.mark.parametrize("prices", ["prices", "prices" * 1_000_000], ids=["sent", "being sent"])
def test_a_copy_that_waits_for_the_database_is_stopped_by_a_signal(tmp_path: Path, database: str, prices: str) -> None:
    _filled(tmp_path / "state.db", prices=prices)
    opened(database).close()
    command = [sys.executable, "-m", "exporter", *_COPY, str(tmp_path / "state.db"), "--to", database]
    with psycopg.connect(database) as other, psycopg.connect(database, autocommit=True) as admin:
        other.execute("LOCK TABLE sagemaker_exporter.series IN SHARE MODE")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            until = time.monotonic() + 30
            while not admin.execute(_WAITING).fetchone():
                assert time.monotonic() < until, "it does not wait"
                time.sleep(0.01)
            process.terminate()
            try:
                _, said = process.communicate(timeout=20)
            finally:
                process.kill()
    assert (said, process.returncode) == ("state: stopped by SIGTERM\n", 143)
    assert _copy(tmp_path / "state.db", database) == 0
