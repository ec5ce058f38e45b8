"""Test what doctor says about the place of the totals, and that it changes and publishes nothing there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from exporter.clock import SystemClock
from exporter.doctor.findings import Findings, Reading
from exporter.doctor.report import markdown
from exporter.doctor.state import examine_state
from exporter.ledger.sqlite import SqliteStore
from tests import postgres
from tests.doctor.world import config
from tests.ledger.books import START
from tests.ledger.replicas import opened

_MISSING = "Without it the exporter polls nothing."
_OWNER = "make this user the owner of the schema sagemaker_exporter and its tables, or grant CREATE on the database"


def _told(**state: str) -> tuple[Reading, str]:
    settings = config(state=state)
    reading = examine_state(settings, SystemClock())
    return reading, markdown(Findings("versions", "settings", reading, ()), settings)


def _ok(**state: str) -> str:
    reading, report = _told(**state)
    assert not reading.missing
    assert "**Everything that this configuration needs is there.**" in report
    assert f"| {reading.operation} " in report
    return reading.found


def _refused(**state: str) -> str:
    """Return why a place is unusable, which the report says first."""
    reading, report = _told(**state)
    assert reading.missing
    assert not any(text in report for text in state.values())
    (failure,) = reading.failures
    assert f"- {failure.operation}: Unusable: {failure.advice}. {_MISSING}" in report
    return failure.advice


def test_totals_in_memory_are_said_to_begin_with_0() -> None:
    assert _ok() == "in memory: totals begin with 0 at each start"


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    assert _ok(path=str(tmp_path / "state.db")) == "no file yet"
    assert not list(tmp_path.iterdir())


def test_a_file_that_an_exporter_has_open_is_left_alone(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "state.db"), START)):
        before = sorted(tmp_path.iterdir())
        assert _ok(path=str(tmp_path / "state.db")) == "a file that can be written"
        assert sorted(tmp_path.iterdir()) == before


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    assert _refused(path=str(tmp_path / "missing" / "state.db")).startswith("its directory does not exist")
    assert _refused(path=str(tmp_path)) == "it is not a file; name another one"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


def test_a_directory_that_cannot_be_written_is_refused(read_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # For root everything can be.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK or os.stat(path).st_mode & 0o200 != 0)
    assert _refused(path=str(read_only / "state.db")).startswith("its directory cannot be written")


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state.db").touch()
    monkeypatch.setattr(os, "access", lambda path, _: os.path.isdir(path))
    assert _refused(path=str(tmp_path / "state.db")).startswith("the file cannot be written")


@pytest.mark.process
def test_a_new_database_stays_empty(database: str) -> None:
    found = _ok(url=database)
    assert found.startswith("PostgreSQL ")
    assert found.endswith(", no tables yet")
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sagemaker%'").fetchone() == (0,)


@pytest.mark.process
def test_a_database_that_replicas_use_is_left_alone(database: str) -> None:
    with closing(opened(database)):
        assert _ok(url=database).endswith(", schema 3")


@pytest.mark.process
def test_a_newer_schema_is_refused(database: str) -> None:
    opened(database).close()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE sagemaker_exporter.meta SET version = 99")
    assert _refused(url=database).startswith("has the schema 99, which this exporter does not know (it knows 3)")


@pytest.fixture
def guest(postgres_server: postgres.Server, database: str) -> Iterator[str]:
    """Return the URL of the database for a user that may do nothing in it."""
    name = database.split("/")[3].split("?", maxsplit=1)[0]
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("CREATE ROLE guest LOGIN")
    yield postgres_server.url(name, "guest")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DROP OWNED BY guest")
        db.execute("DROP ROLE guest")


@pytest.mark.process
def test_a_user_that_may_create_nothing_is_refused(guest: str) -> None:
    assert _refused(url=guest) == f"cannot be used: InsufficientPrivilege; {_OWNER}"


@pytest.mark.process
def test_a_user_that_may_only_read_the_tables_is_refused(guest: str, database: str) -> None:
    opened(database).close()
    schema = "SCHEMA sagemaker_exporter TO guest"
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(f"GRANT USAGE ON {schema}; GRANT SELECT ON ALL TABLES IN {schema}")
    assert _refused(url=guest) == f"cannot be used: InsufficientPrivilege; {_OWNER}"
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN {schema}")
    assert _ok(url=guest).endswith(", schema 3")


@pytest.mark.process
def test_a_user_that_may_write_nothing_is_refused(database: str) -> None:
    said = _refused(url=f"{database}&options=-c%20default_transaction_read_only%3Don")
    assert said == "cannot be used: ReadOnlySqlTransaction; turn default_transaction_read_only off for this user"


@pytest.mark.process
def test_a_database_that_does_not_exist_is_refused_without_its_name(postgres_server: postgres.Server) -> None:
    said = _refused(url=postgres_server.url("secret_name"))
    assert said == "cannot be used: OperationalError; create the database and the user"


def test_a_server_that_does_not_run_is_refused_without_its_name(unused_tcp_port: int) -> None:
    said = _refused(url=f"postgresql://secret_user@127.0.0.1:{unused_tcp_port}/secret_name")
    assert said == "cannot be used: OperationalError; check the host and the port in the URL, and that the server runs"


def test_a_host_that_cannot_be_one_is_refused_without_its_name() -> None:
    said = _refused(url="postgresql://secret..host/x")
    assert said == "cannot be used: ProgrammingError; correct the URL"


def test_a_password_that_cannot_be_read_is_told_without_its_path(tmp_path: Path) -> None:
    said = _refused(url="postgresql://127.0.0.1/x", password_file=str(tmp_path / "secret_file"))
    assert said == "the password cannot be read: No such file or directory"
