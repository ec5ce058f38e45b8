"""Imitate a PostgreSQL server in virtual time: its sessions, their advisory locks, transactions and timeouts.

It knows the statements of `exporter.ledger.postgres` and no others, so that the store itself runs on it unchanged. The
same histories run on a real server too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from exporter.ledger.postgres import _key_of_target
from exporter.ledger.rows import marks_of, record_of, totals_of
from exporter.ledger.session import SESSION_TIMEOUT
from exporter.ledger.store import JobRecord, Snapshot, Target
from exporter.training.job import Identity
from tests.ledger.fake_statements import STATEMENTS, Row

_VERSION = 150000
_AWAY = "server closed the connection unexpectedly"
_NO_SPACE = "could not extend file: No space left on device"


@dataclass
class Data:
    """Hold the committed rows of all tables, by their primary keys."""

    version: int = 0
    first_start: float = 0.0
    jobs: dict[Row, Row] = field(default_factory=dict)
    series: dict[Row, Row] = field(default_factory=dict)
    marks: dict[Row, Row] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    holders: dict[Row, str] = field(default_factory=dict)


class FakeServer:
    """Implement `tests.ledger.replica_harness.Database`. `now` is a monotonic clock in seconds."""

    data: Data

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.data = Data()
        self.sessions: list[Session] = []
        # Which session has a lock, and how many times.
        self.locks: dict[int, tuple[Session, int]] = {}
        self.down_until, self.wrong = 0.0, list[str]()
        self._processes = 0

    def connect(self, moment: Callable[[FakeConnection, str, bool], None]) -> Callable[..., FakeConnection]:
        return lambda *_, **__: FakeConnection(self, moment)

    def first_start(self) -> float:
        return self.data.first_start

    def snapshot(self) -> Snapshot:
        self.tick()
        series = ((*key, *row) for key, row in self.data.series.items())
        return Snapshot(totals_of(series), marks_of((*key, *row) for key, row in self.data.marks.items()))

    def record(self, identity: Identity) -> JobRecord | None:
        self.tick()
        row = self.data.jobs.get(identity)
        return record_of(identity, row[1], row[0]) if row else None

    def records(self) -> list[JobRecord]:
        self.tick()
        return [record_of(Identity(*key), facts, settled) for key, (settled, facts, _) in self.data.jobs.items()]

    def open(self) -> Session:
        """Return a new session. Raises psycopg.OperationalError while the server is down."""
        self.tick()
        if self.now() < self.down_until:
            raise psycopg.OperationalError("connection failed: Connection refused")
        self._processes += 1
        session = Session(self, self._processes)
        self.sessions.append(session)
        return session

    def expire(self, connection: FakeConnection) -> None: ...

    def restart(self, seconds: float) -> None:
        """Stop immediately, as after a crash, and start again after some seconds."""
        self.tick()
        for session in list(self.sessions):
            session.end()
        self.down_until = self.now() + seconds

    def tick(self) -> None:
        """Let happen what was to happen by now: late commits, and ends of silent sessions."""
        for session in list(self.sessions):
            if session.commits_at is not None and self.now() >= session.commits_at:
                session.commit()
                session.end()
            elif session.commits_at is None and self.now() - session.used_at > SESSION_TIMEOUT:
                session.end()


class Session:
    """A session at the server, which may not know that its client is gone."""

    server: FakeServer

    def __init__(self, server: FakeServer, process: int) -> None:
        self.server = server
        self.process, self.used_at, self.ended = process, server.now(), False
        # When the server commits for a client that is gone.
        self.commits_at: float | None = None
        # The changes of an open transaction, None outside of one.
        self.staged: list[Callable[[], object]] | None = None
        self.failed, self.wrote = False, set[Target]()

    def end(self) -> None:
        """Roll back, and free all locks."""
        self.ended, self.staged = True, None
        self.server.sessions.remove(self)
        self.server.locks = {key: held for key, held in self.server.locks.items() if held[0] is not self}

    def commit(self) -> None:
        staged, self.staged = self.staged or [], None
        for target in self.wrote:
            holder, _ = self.server.locks.get(_key_of_target(target), (None, 0))
            if holder is not self:
                self.server.wrong.append(f"{'/'.join(target)} is written without its lock")
        self.wrote.clear()
        for change in staged:
            change()

    def change(self, change: Callable[[], object]) -> None:
        """Change the data with the transaction, or at once."""
        if self.staged is None:
            change()
        else:
            self.staged.append(change)

    def lock(self, key: int) -> bool:
        holder, times = self.server.locks.get(key, (self, 0))
        if holder is self:
            self.server.locks[key] = (self, times + 1)
        return holder is self

    def unlock(self, key: int) -> bool:
        holder, times = self.server.locks.get(key, (None, 0))
        if holder is not self:
            return False
        self.server.locks[key] = (self, times - 1)
        if times == 1:
            del self.server.locks[key]
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement returned, with the parts of a cursor that the store uses."""

    rows: Sequence[Row]
    statusmessage: str = ""

    def fetchone(self) -> Row | None:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> Sequence[Row]:
        return self.rows

    def nextset(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Info:
    backend_pid: int
    server_version: int = _VERSION

    def parameter_status(self, _: str) -> str:
        return "UTF8"


class FakeConnection:
    """The client's end of a session. `moment` is called before and after each statement with the connection, the
    statement, and whether it was executed; it may raise errors, for which it breaks the connection first."""

    def __init__(self, server: FakeServer, moment: Callable[[FakeConnection, str, bool], None]) -> None:
        self._session, self._moment = server.open(), moment
        self.info = _Info(self._session.process)
        self.broken = self.closed = False

    def close(self) -> None:
        if not self.closed and not self.broken and not self._session.ended:
            self._session.end()
        self.closed = True

    def cut(self, silent: bool, late_commit: float | None = None) -> psycopg.OperationalError:
        """Break the connection; return the error to raise. The server notices at once, unless it is `silent`. What a
        COMMIT that was sent does after `late_commit` seconds, the client never learns."""
        self.broken = True
        if late_commit is not None and self._session.staged is not None and not self._session.failed:
            self._session.commits_at = self._session.server.now() + late_commit
        elif not silent and not self._session.ended:
            self._session.end()
        return psycopg.OperationalError(_AWAY)

    def fail(self) -> psycopg.Error:
        """Return the error of a statement that fails while the session goes on."""
        self._session.failed = self._session.staged is not None
        return psycopg.errors.DiskFull(_NO_SPACE)

    def execute(self, query: str, parameters: Any = None) -> Answer:
        if self.broken or self.closed:
            raise psycopg.OperationalError("the connection is closed")
        self._moment(self, query, False)
        session = self._session
        session.server.tick()
        if session.ended:
            self.broken = True
            raise psycopg.OperationalError("terminating connection due to idle-session timeout")
        session.used_at = session.server.now()
        answer = _answer(session, query, parameters)
        self._moment(self, query, True)
        return answer

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Outside of a transaction, all statements of a pipeline take effect together at its end."""
        session = self._session
        outside = session.staged is None
        if outside:
            session.staged = []
        try:
            yield
        except BaseException:
            if outside and session.commits_at is None:
                session.staged = None
            raise
        if outside and not session.ended:
            session.commit()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN")
        yield
        self.execute("COMMIT")


def _answer(session: Session, query: str, parameters: Any) -> Answer:
    """Execute a statement of the store. Raises psycopg.Error as the server would."""
    if query == "ROLLBACK":
        session.wrote.clear()
        session.staged, session.failed = None, False
        return Answer((), "ROLLBACK")
    if query == "COMMIT":
        if session.failed:
            session.staged, session.failed = None, False
            return Answer((), "ROLLBACK")
        session.commit()
        return Answer((), "COMMIT")
    if session.failed:
        raise psycopg.errors.InFailedSqlTransaction("current transaction is aborted")
    return Answer(STATEMENTS[query](session, parameters))
