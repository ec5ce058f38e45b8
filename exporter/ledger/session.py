"""Open sessions of a PostgreSQL database: with the settings that the locks rely on, and the current schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.abc import Params
from psycopg.conninfo import conninfo_to_dict

from exporter.ledger.connection import Connection
from exporter.ledger.statefile import Schema
from exporter.ledger.store import StoreError

Connect = Callable[..., Connection]


class Condition(NamedTuple):
    """The version of a server, that of the schema in its database (0 if there is none), and the one that it would be
    migrated to."""

    server: int
    schema: int
    newest: int


# The first version with `idle_session_timeout`.
_OLDEST = 140000
# Seconds after which the server ends a session that sends nothing, and with it the locks of a replica that is suspended
# or unreachable. Also the limit of one statement at the server, which this end does not wait for.
SESSION_TIMEOUT = 10
# For connections that break silently. Parameters of the URL override these.
_PARAMETERS: Mapping[str, object] = {
    "application_name": "sagemaker-exporter",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SESSION_TIMEOUT * 1000,
}
# A committed total is shown, so it must survive a crash of the server.
_SETTINGS = f"""
SET idle_session_timeout = '{SESSION_TIMEOUT}s';
SET idle_in_transaction_session_timeout = '{SESSION_TIMEOUT}s';
SET statement_timeout = '{SESSION_TIMEOUT}s';
SET search_path TO sagemaker_exporter;
SET client_encoding TO 'UTF8';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_FOREIGN = "another program uses the schema sagemaker_exporter; use another database"
_FULL = "each replica needs a connection; raise the limit of the user, or max_connections"
_UNRESOLVED = "check the host in the URL, and the name server"
# Instead of the error of a codec, which tells nobody what to correct.
_NO_TEXT = "the host has an empty or too long part, or a parameter is not UTF-8"
# By SQLSTATE, or by words of a connection that failed, which has none.
_ADVICE = (
    (_NO_TEXT, "correct the URL"),
    ("certificate", "check sslmode and sslrootcert in the URL"),
    ("authentication failed", "check the user in the URL, and the password file, PGPASSWORD or the passfile"),
    ("no password supplied", "name a password file, set PGPASSWORD, or write a passfile"),
    ("does not exist", "create the database and the user"),
    # psycopg resolves the host of a URL, and libpq that of a service file.
    ("failed to resolve host", _UNRESOLVED),
    ("could not translate host name", _UNRESOLVED),
    ("Connection refused", "check the host and the port in the URL, and that the server runs"),
    ("timeout expired", "check the host and the port in the URL, and what is between: firewalls, security groups"),
    ("the server did not answer", "look at its load, its disk, and whether it is suspended"),
    (
        "42501",
        "make this user the owner of the schema sagemaker_exporter and its tables, or grant CREATE on the database",
    ),
    ("25006", "turn default_transaction_read_only off for this user"),
    ("too many connections", _FULL),
    ("too many clients", _FULL),
    ("remaining connection slots", _FULL),
    ("not permitted to log in", "let the user log in"),
    ("pg_hba.conf", "let pg_hba.conf accept this host, user and database, or check sslmode in the URL"),
    ("permission denied for database", "grant CONNECT on the database to the user"),
    # A table or a type of that name exists, and a column of that name does not.
    ("42P07", _FOREIGN),
    ("42710", _FOREIGN),
    ("42703", _FOREIGN),
)
# The key of the lock under which the schema is created and migrated.
_SCHEMA_LOCK = 0x534C_0000_0000_0000

# Whether tables that are not there can be created, and those that are there can be written.
_MAY_CREATE = """
SELECT coalesce(
    (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'sagemaker_exporter'),
    has_database_privilege(current_database(), 'CREATE')
)
"""
_MAY_WRITE = """
SELECT bool_and(has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')) FROM pg_class
WHERE relnamespace = 'sagemaker_exporter'::regnamespace AND relkind = 'r' AND relname <> 'meta'
"""
# What libpq says names hosts and users.
_MORE = "the exporter says more when it starts"

SCHEMA = Schema(
    version=3,
    script="""
CREATE TABLE meta (version integer NOT NULL, first_start double precision NOT NULL);
CREATE TABLE job (
    account text, region text, name text, created_ms bigint, settled boolean NOT NULL, facts bytea NOT NULL,
    unpriced boolean NOT NULL,
    PRIMARY KEY (account, region, name, created_ms)
);
CREATE TABLE series (
    account text, region text, family text, labels text, created double precision NOT NULL, exact text NOT NULL,
    shown text NOT NULL,
    PRIMARY KEY (account, region, family, labels)
);
CREATE TABLE target (
    account text, region text, discovered_until double precision NOT NULL DEFAULT 0,
    forgotten_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region)
);
CREATE TABLE holder (account text, region text, replica text NOT NULL, PRIMARY KEY (account, region));
CREATE TABLE price_list (region text PRIMARY KEY, copy text NOT NULL);
INSERT INTO meta VALUES (%(version)s, %(now)s)
""",
    migrations={},
)


def open_session(
    url: str, name: str, password_file: str, now: float | None, schema: Schema, connect: Connect
) -> Connection:
    """Return a session in the current schema. With `now` (Unix seconds) the schema may be created.

    `name` stands for the URL in messages. Raises StoreError and psycopg.Error.
    """
    db = _connected(url, password_file, password_file, connect)
    try:
        _refuse_unusable(db, name)
        db.execute(_SETTINGS)
        _migrate(db, name, schema, now)
    except BaseException:
        close(db)
        raise
    return db


def examine(
    url: str, name: str, password_file: str, schema: Schema = SCHEMA, connect: Connect = Connection.connect
) -> Condition:
    """Return the condition of a database, and change nothing.

    Raises StoreError if no session could be opened, in words that have nothing of the URL or of the server's answer:
    `name` stands for both.
    """
    try:
        db = _connected(url, password_file, name, connect)
        try:
            _refuse_unusable(db, name)
            db.execute(_SETTINGS)
            version = _version(db)
            _refuse_unknown(version, name, schema)
            if not row(db, _MAY_WRITE if version else _MAY_CREATE)[0]:
                raise psycopg.errors.InsufficientPrivilege
            if row(db, "SHOW transaction_read_only")[0] == "on":
                raise psycopg.errors.ReadOnlySqlTransaction
            return Condition(db.info.server_version // 10000, version, schema.version)
        finally:
            close(db)
    except psycopg.Error as error:
        what = type(error).__name__
        raise StoreError(f"{name}: cannot be used: {what}; {_advice(error) or _MORE}") from None


def close(db: Connection) -> None:
    """Close a session; errors are ignored."""
    with suppress(psycopg.Error):
        db.close()


def row(db: Connection, query: LiteralString, parameters: Params | None = None) -> tuple[Any, ...]:
    """Return the one row of a query. Raises psycopg.Error."""
    found = db.execute(query, parameters).fetchone()
    if found is None:
        raise psycopg.DataError("a query returned no row")
    return tuple(found)


def _connected(url: str, password_file: str, named: str, connect: Connect) -> Connection:
    """Open a session; `named` stands for the password file in messages. Raises StoreError and psycopg.Error."""
    password = {"password": _password(password_file, named)} if password_file else {}
    try:
        given = conninfo_to_dict(url)
        parameters = {key: value for key, value in _PARAMETERS.items() if key not in given}
        return connect(url, autocommit=True, **parameters, **password)
    except UnicodeError:
        raise psycopg.ProgrammingError(_NO_TEXT) from None


def reason(error: psycopg.Error) -> str:
    """Return the first line of an error, and what to do about it."""
    text = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
    advice = _advice(error)
    return f"{text}; {advice}" if advice else text


def _advice(error: psycopg.Error) -> str:
    """Return what to do about an error, "" if that is not known."""
    return next((advice for sign, advice in _ADVICE if sign in (error.sqlstate or str(error))), "")


def _password(file: str, named: str) -> str:
    try:
        password = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StoreError(f"{named}: the password cannot be read: {why}") from None
    if not password:
        raise StoreError(f"{named}: the password file is empty; write the password into it")
    return password


def _refuse_unusable(db: Connection, name: str) -> None:
    if db.info.server_version < _OLDEST:
        raise StoreError(f"{name}: is PostgreSQL {db.info.server_version // 10000}; 14 or newer is needed")
    # Text of a query would come as bytes from a database without an encoding.
    encoding = db.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"{name}: has the encoding {encoding}; create a database with UTF8")
    if row(db, "SELECT pg_is_in_recovery()")[0]:
        raise StoreError(
            f"{name}: is a standby, which is read-only; name all servers and target_session_attrs=read-write"
        )


def _migrate(db: Connection, name: str, schema: Schema, now: float | None) -> None:
    """Create or migrate the schema in a transaction, one replica after the other."""
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        version = _version(db)
        if version == schema.version:
            return
        if version == 0 and now is None:
            raise StoreError(f"{name}: has no tables of an exporter; restore the database, or restart to count from 0")
        _refuse_unknown(version, name, schema)
        if version == 0 and not row(db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'sagemaker_exporter'")[0]:
            db.execute("CREATE SCHEMA sagemaker_exporter")
        scripts = [schema.migrations[step] for step in range(version, schema.version)] if version else [schema.script]
        for statement in filter(str.strip, ";".join(scripts).split(";")):
            parameters = {"version": schema.version, "now": now} if "%(" in statement else None
            db.execute(statement, parameters)
        db.execute("UPDATE meta SET version = %s", (schema.version,))


def _refuse_unknown(version: int, name: str, schema: Schema) -> None:
    if version < 0:
        raise StoreError(f"{name}: {_FOREIGN}")
    newer = version > schema.version
    if newer or (version and not all(step in schema.migrations for step in range(version, schema.version))):
        raise StoreError(
            f"{name}: has the schema {version}, which this exporter does not know (it knows {schema.version}); "
            "run the exporter that wrote it, or use another database"
        )


def _version(db: Connection) -> int:
    """Return the version of the schema, 0 if there is none, -1 if nothing says it."""
    if not row(db, "SELECT to_regclass('sagemaker_exporter.meta') IS NOT NULL")[0]:
        return 0
    match db.execute("SELECT version FROM meta").fetchall():
        case [(int(version),)]:
            return version
    return -1
