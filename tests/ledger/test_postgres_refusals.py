"""Test what a replica says about a database that it cannot use: what to do, and never the password."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exporter.ledger.connection import Connection
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.session import Connect
from exporter.ledger.store import StoreError
from tests import postgres
from tests.ledger.books import START, TARGET
from tests.ledger.replicas import GROUP, held_store

pytestmark = pytest.mark.process

_SECRET = "hunter2-correct"
_WRONG = "hunter2-wrong"
_ROLE = "guarded"
_FULL = "each replica needs a connection; raise the limit of the user, or max_connections"


def _open(url: str, password_file: str = "", connect: Connect = Connection.connect) -> PostgresStore:
    return PostgresStore(url, "the database", password_file, START, connect)


def _refusal(url: str, password_file: str = "") -> str:
    with pytest.raises(StoreError) as refused:
        _open(url, password_file)
    said = str(refused.value)
    assert "hunter2" not in said
    assert "\n" not in said
    return said


def _write(store: PostgresStore) -> None:
    with store.transaction():
        pass


def _run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())


@pytest.fixture
def guarded(postgres_server: postgres.Server, database: str) -> Iterator[str]:
    """Return the URL of the database for a role that needs a password, and may create nothing."""
    rules = postgres_server._data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all {_ROLE} 127.0.0.1/32 scram-sha-256\n{before}")
    password = f"SET password_encryption = 'scram-sha-256'; CREATE ROLE {_ROLE} LOGIN PASSWORD '{_SECRET}'"
    _run(database, password, "SELECT pg_reload_conf()")
    name = database.split("/")[3].split("?", maxsplit=1)[0]
    yield postgres_server.tcp_url(name, _ROLE)
    rules.write_text(before)
    _run(database, f"DROP OWNED BY {_ROLE} CASCADE", f"DROP ROLE {_ROLE}", "SELECT pg_reload_conf()")


def _password(folder: Path, password: str) -> str:
    file = folder / "password"
    file.write_text(f"{password}\n")
    return str(file)


def test_a_password_is_read_from_its_file(guarded: str, database: str, tmp_path: Path) -> None:
    _run(database, f"GRANT CREATE ON DATABASE {guarded.rpartition('/')[2]} TO {_ROLE}")
    with closing(_open(guarded, _password(tmp_path, _SECRET))) as store:
        assert store.first_start == START


def test_a_wrong_password_is_refused(guarded: str, tmp_path: Path) -> None:
    said = _refusal(guarded, _password(tmp_path, _WRONG))
    assert "password authentication failed" in said
    assert said.endswith("check the user in the URL, and the password file, PGPASSWORD or the passfile")


def test_no_password_is_refused(guarded: str) -> None:
    assert _refusal(guarded).endswith("name a password file, set PGPASSWORD, or write a passfile")


def test_a_role_that_may_create_nothing_is_refused(guarded: str, tmp_path: Path) -> None:
    said = _refusal(guarded, _password(tmp_path, _SECRET))
    assert said.endswith(
        "make this user the owner of the schema sagemaker_exporter and its tables, or grant CREATE on the database"
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"ALTER ROLE {_ROLE} CONNECTION LIMIT 0", _FULL),
        (f"ALTER ROLE {_ROLE} NOLOGIN", "let the user log in"),
        ("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", "grant CONNECT on the database to the user"),
    ],
)
def test_a_role_that_may_not_connect_is_refused(
    guarded: str, database: str, tmp_path: Path, statement: str, said: str
) -> None:
    _run(database, statement.format(database=guarded.rpartition("/")[2]))
    assert _refusal(guarded, _password(tmp_path, _SECRET)).endswith(f"; {said}")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("sorry, too many clients already", _FULL),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", _FULL),
        (
            'no pg_hba.conf entry for host "10.0.0.1", user "me", database "x", no encryption',
            "let pg_hba.conf accept this host, user and database, or check sslmode in the URL",
        ),
    ],
)
def test_what_else_a_server_says_instead_of_a_session_has_advice(answer: str, said: str) -> None:
    def connect(*_: object, **__: object) -> Connection:
        raise psycopg.OperationalError(f"connection failed: FATAL:  {answer}")

    with pytest.raises(StoreError) as refused:
        _open("postgresql://db.example.org/x", connect=connect)
    assert str(refused.value).endswith(f"{answer}; {said}")


def test_a_password_file_that_cannot_be_read_is_named(database: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    said = _refusal(database, missing)
    assert said == f"{missing}: the password cannot be read: No such file or directory"
    bad = tmp_path / "bad"
    bad.write_bytes(b"hunter2\xff")
    assert _refusal(database, str(bad)) == f"{bad}: the password cannot be read: it is not UTF-8"
    bad.write_text("\n")
    assert _refusal(database, str(bad)) == f"{bad}: the password file is empty; write the password into it"


def test_a_database_that_does_not_exist_is_refused(postgres_server: postgres.Server) -> None:
    said = _refusal(postgres_server.url("nowhere"))
    assert '"nowhere" does not exist' in said
    assert said.endswith("create the database and the user")


def test_a_host_that_has_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    said = _refusal("postgresql://db.example.org/x")
    assert said.startswith("the database: cannot be opened: failed to resolve host 'db.example.org': ")
    assert said.endswith("; check the host in the URL, and the name server")


@pytest.mark.parametrize("bad", ["db..example.org/x", f"{'x' * 64}.example.org/x", "127.0.0.1/x?application_name=%ff"])
def test_a_url_that_psycopg_cannot_encode_is_refused(bad: str) -> None:
    assert _refusal(f"postgresql://{bad}") == (
        "the database: cannot be opened: the host has an empty or too long part, or a parameter is not UTF-8; "
        "correct the URL"
    )


def test_another_encoding_is_refused(postgres_server: postgres.Server) -> None:
    _run(postgres_server.url("postgres"), "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    said = _refusal(postgres_server.url("ascii"))
    _run(postgres_server.url("postgres"), "DROP DATABASE ascii WITH (FORCE)")
    assert said == "the database: has the encoding SQL_ASCII; create a database with UTF8"


def test_a_schema_of_a_newer_exporter_is_refused_at_the_start_and_in_each_transaction(database: str) -> None:
    store = held_store(database, TARGET)
    _run(database, "UPDATE sagemaker_exporter.meta SET version = 99")
    with pytest.raises(StoreError, match="was migrated to schema 99 by a newer exporter; restart with that version"):
        _write(store)
    assert not store.held
    store.close()
    said = _refusal(database)
    assert "has the schema 99, which this exporter does not know" in said
    assert said.endswith("run the exporter that wrote it, or use another database")


def test_tables_that_are_gone_are_not_created_again_while_it_runs(database: str) -> None:
    store = held_store(database, TARGET)
    _run(database, "DROP SCHEMA sagemaker_exporter CASCADE")
    with pytest.raises(StoreError, match='relation "meta" does not exist'), store.transaction():
        pass
    # Totals would go down: only a person can say that they may.
    store._lose()
    with pytest.raises(StoreError, match="the session was lost"):
        store.replicas(GROUP)
    with pytest.raises(StoreError, match="restore the database, or restart to count from 0"):
        store.replicas(GROUP)
    store.close()


@pytest.mark.parametrize(
    ("foreign", "problem"),
    [
        ("TABLE {}.job (id integer)", 'cannot be opened: relation "job" already exists'),
        ("TYPE {}.job AS ENUM ('a')", 'cannot be opened: type "job" already exists'),
        ("TABLE {}.meta (id integer)", 'cannot be opened: column "version" does not exist'),
        ("TABLE {}.meta AS SELECT 'one' AS version", "another program uses the schema"),
    ],
)
def test_tables_of_another_program_are_refused_and_stay(foreign: str, problem: str, database: str) -> None:
    _run(database, "CREATE SCHEMA sagemaker_exporter", f"CREATE {foreign.format('sagemaker_exporter')}")
    said = _refusal(database)
    assert said.startswith(f"the database: {problem}")
    assert said.endswith("use another database")
    with psycopg.connect(database) as other:
        (tables,) = other.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'sagemaker_exporter'").fetchall()
    assert tables == ("TABLE" in foreign,)


class _Pooled(psycopg.Connection[Any]):
    """A connection through a pooler, which sends some statements to another session."""

    elsewhere: str
    other: psycopg.Connection[Any] | None = None

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        if self.other is not None and self.elsewhere in str(query):
            return self.other.execute(query, *arguments, **options)
        return super().execute(query, *arguments, **options)


@pytest.mark.parametrize(("statement", "use"), [("pg_locks", lambda store: store.replicas(GROUP)), ("BEGIN", _write)])
def test_a_pooler_that_changes_the_session_is_refused(
    database: str, statement: str, use: Callable[[PostgresStore], object]
) -> None:
    connected: list[_Pooled] = []

    def connect(*place: Any, **parameters: Any) -> Any:
        connected.append(_Pooled.connect(*place, **parameters))
        return connected[-1]

    store = _open(database, connect=connect)
    store.replicas(GROUP)
    assert store.hold(TARGET)
    with psycopg.connect(database, autocommit=True, options="-c search_path=sagemaker_exporter") as other:
        connected[0].elsewhere, connected[0].other = statement, other
        with pytest.raises(StoreError, match=r"the session changes .* in transaction mode; connect to the server"):
            use(store)
    assert not store.held
    store.close()
