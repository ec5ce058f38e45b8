"""Use a real PostgreSQL server for the histories of replicas: connections with faults, and what is committed.

Its own timeouts run in real time, too long for a history, so that sessions of silent clients are ended on request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from exporter.ledger import postgres_tables
from exporter.ledger.connection import Connection
from exporter.ledger.postgres import _key_of_target
from exporter.ledger.rows import record_of
from exporter.ledger.store import JobRecord, Snapshot, Target
from exporter.training.job import Identity

_PATIENCE = 30.0
_WRITES = (postgres_tables._WRITE_JOBS, postgres_tables._WRITE_SERIES, postgres_tables._WRITE_MARKS)
_LOCKS_OF = """
SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s
"""
_JOBS = "SELECT account, region, name, created_ms, facts, settled FROM job"


class FaultyConnection(Connection):
    """A connection like `tests.ledger.fake_postgres.FakeConnection`, to a real server."""

    database: RealDatabase
    moment: Callable[[FaultyConnection, str, bool], None]
    wrote: set[Target]

    def execute(self, query: Any, parameters: Any = None, **options: Any) -> Any:  # type: ignore[override]
        self.moment(self, query, False)
        if query.startswith("BEGIN"):
            self.wrote.clear()
        if query in _WRITES:
            self.wrote.update(zip(parameters[0], parameters[1], strict=True))
        if query == "COMMIT":
            self.database.check_locks(self.info.backend_pid, self.wrote)
        cursor = super().execute(query, parameters, **options)
        self.moment(self, query, True)
        return cursor

    def cut(self, silent: bool, late_commit: float | None = None) -> psycopg.OperationalError:
        """Break the connection once the server has committed for sure, or not; return the error to raise."""
        if not self.closed:
            process = self.info.backend_pid
            if late_commit is not None:
                super().execute("COMMIT")
            self.pgconn.finish()
            self.database.wait_for_end_of(process)
        return psycopg.OperationalError("server closed the connection unexpectedly")

    def fail(self) -> psycopg.Error:
        """Return the error of a statement that fails while the session goes on."""
        if self.pgconn.pipeline_status:
            return self.cut(silent=False)
        try:
            super().execute("SELECT 1 / 0")
        except psycopg.Error as error:
            return error
        raise AssertionError("it did not fail")


class RealDatabase:
    """Implements `tests.ledger.replica_harness.Database`."""

    def __init__(self, url: str) -> None:
        self._url, self.wrong = url, list[str]()
        self._opened = list[FaultyConnection]()
        self._admin = Connection.connect(
            url, autocommit=True, options="-c search_path=sagemaker_exporter -c client_encoding=UTF8"
        )

    def close(self) -> None:
        self._admin.close()
        # A killed process closes none of its own.
        for connection in self._opened:
            connection.close()

    def connect(self, moment: Callable[[Any, str, bool], None]) -> Callable[..., Any]:
        def connected(_: str, **parameters: Any) -> FaultyConnection:
            db = FaultyConnection.connect(self._url, **parameters)
            db.database, db.moment, db.wrote = self, moment, set()
            self._opened.append(db)
            return db

        return connected

    def first_start(self) -> float:
        found = self._rows("SELECT first_start FROM meta")
        return float(found[0][0]) if found else 0.0

    def snapshot(self) -> Snapshot:
        targets = [(account, region) for account, region in self._rows("SELECT DISTINCT account, region FROM series")]
        tables = postgres_tables.Tables(self._admin, "", targets)
        return tables.snapshot() if targets else Snapshot()

    def record(self, identity: Identity) -> JobRecord | None:
        found = self._rows(f"{_JOBS} WHERE (account, region, name, created_ms) = (%s, %s, %s, %s)", identity)
        return record_of(identity, *found[0][4:]) if found else None

    def records(self) -> list[JobRecord]:
        return [record_of(Identity(*identity), facts, settled) for *identity, facts, settled in self._rows(_JOBS)]

    def restart(self, seconds: float) -> None:
        """End all sessions, which their clients learn only with their next statements."""
        others = "FROM pg_stat_activity WHERE application_name = 'sagemaker-exporter' AND datname = current_database()"
        for process, _ in self._rows(f"SELECT pid, pg_terminate_backend(pid) {others}"):
            self.wait_for_end_of(process)

    def expire(self, connection: Any) -> None:
        if connection is not None and not connection.closed:
            process = connection.info.backend_pid
            self._rows("SELECT pg_terminate_backend(%s)", (process,))
            self.wait_for_end_of(process)

    def check_locks(self, process: int, wrote: set[Target]) -> None:
        """Note targets that a session writes without their locks."""
        keys = {key for (key,) in self._rows(_LOCKS_OF, (process,))}
        lost = (one for one in wrote if _key_of_target(one) not in keys)
        self.wrong += [f"{'/'.join(one)} is written without its lock" for one in lost]
        wrote.clear()

    def wait_for_end_of(self, process: int) -> None:
        until = time.monotonic() + _PATIENCE
        while self._rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (process,)):
            assert time.monotonic() < until, "the server does not end a session"
            time.sleep(0.001)

    def _rows(self, query: str, parameters: Any = None) -> list[Any]:
        try:
            return self._admin.execute(query.encode(), parameters).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            # No replica has created the tables yet.
            return []
