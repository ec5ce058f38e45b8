"""Implement the shared store on PostgreSQL: session advisory locks, and the same tables as a state file has.

All statements run in one session, so that a replica cannot write once it has lost its locks. Statements take whole
batches as arrays: a transaction of any number of jobs takes four round trips.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256

import psycopg

from exporter.ledger.connection import Connection
from exporter.ledger.locks import Held, Replica
from exporter.ledger.postgres_tables import Tables
from exporter.ledger.rows import RowError
from exporter.ledger.session import SCHEMA, Connect, close, open_session, reason, row
from exporter.ledger.statefile import Schema
from exporter.ledger.store import Content, JobRecord, Snapshot, StoreError, Target
from exporter.training.job import Identity

# The first 16 bits of the keys of locks, by what they lock. All are below 2^15, because keys are signed.
_REPLICA, _TARGET = 0x534D, 0x534E
_BITS = 24
# Shared by all replicas; whoever copies the store has it alone.
_IN_USE = 0x534F_0000_0000_0000
# How long the server may be silent while it is copied, in seconds.
_COPYING = 600.0
# Who may show a target. Only the one that holds it changes this.
_CLAIMED = "SELECT replica FROM holder WHERE (account, region) = (%s, %s)"
_CLAIM = """
INSERT INTO holder VALUES (%s, %s, %s) ON CONFLICT (account, region) DO UPDATE SET replica = excluded.replica
"""
_RELEASE = "DELETE FROM holder WHERE (account, region, replica) = (%s, %s, %s)"
_LOCKS = """
SELECT (classid::bigint << 32) | objid::bigint, pid = pg_backend_pid() FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgresStore:
    """A store in a database that replicas share. `password_file` is read at each connection, "" for none."""

    def __init__(
        self,
        url: str,
        name: str,
        password_file: str,
        now: float | None,
        connect: Connect = Connection.connect,
        schema: Schema = SCHEMA,
        randbits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        """Open a session. With `now` (Unix seconds) the tables may be created, with it as the first start. Raises
        StoreError.

        `name` stands for the URL in messages.
        """
        self.name, self._schema = name, schema
        self._place, self._connect = (url, name, password_file), connect
        self._randbits, self._me = randbits, f"{randbits(64):016x}"
        self._replica: Replica | None = None
        self._locked: dict[Target, int] = {}
        self._db: Connection | None = None
        # Whether the session was lost since the last look at the locks.
        self._unnoticed = False
        try:
            with self._naming("opened"):
                self._db = self._open(now)
                self._process = self._db.info.backend_pid
                self.first_start = float(row(self._db, "SELECT first_start FROM meta")[0])
        except BaseException:
            self._lose()
            raise

    def close(self) -> None:
        """Release everything and close the session."""
        try:
            for target in list(self._locked):
                self.release(target)
        except StoreError:
            # The session is lost, and all its locks with it.
            pass
        finally:
            self._lose()

    @property
    def held(self) -> Collection[Target]:
        return self._locked.keys()

    def replicas(self, group: int) -> tuple[Replica, Collection[Replica]]:
        try:
            with self._locking("used"):
                return self._look(group)
        finally:
            # A loss is reported by the error of this look.
            self._unnoticed = False

    def _look(self, group: int) -> tuple[Replica, Collection[Replica]]:
        if self._db is None and not self._unnoticed:
            self._db = self._open()
            self._process = self._db.info.backend_pid
        db, me = self._session(), self._join(group)
        locks = db.execute(_LOCKS).fetchall()
        own = {key for key, mine in locks if mine}
        if not own.issuperset(self._locked.values()) or _key_of(me) not in own:
            raise self._not_one_session()
        return me, {_replica_of(key) for key, _ in locks if key >> 2 * _BITS == _REPLICA}

    def hold(self, target: Target) -> Held | None:
        key, db = _key_of_target(target), self._session()
        with self._locking("locked"):
            if target not in self._locked and not row(db, "SELECT pg_try_advisory_lock(%s)", (key,))[0]:
                return None
            # Whoever had the lock before has written its last: only now its totals can be read.
            self._locked[target] = key
            claimed = db.execute(_CLAIMED, target).fetchone()
            try:
                return Held(self._tables().snapshot([target]), claimed in (None, (self._me,)))
            except RowError:
                self._unlock(target)
                raise

    def claim(self, target: Target) -> None:
        with self._locking("claimed"):
            self._session().execute(_CLAIM, (*target, self._me))

    def release(self, target: Target) -> None:
        if target not in self._locked:
            return
        with self._locking("released"):
            # Committed before the lock is free, or the next holder would not see it.
            self._session().execute(_RELEASE, (*target, self._me))
            self._unlock(target)

    def snapshot(self) -> Snapshot:
        with self._naming("read"):
            return self._tables().snapshot(self.held)

    def records(self, identities: Collection[Identity]) -> dict[Identity, JobRecord]:
        with self._naming("read"):
            return self._tables().records(identities)

    def open_jobs(self, target: Target) -> list[Identity]:
        with self._naming("read"):
            return self._tables().open_jobs(target)

    def unpriced_jobs(self, target: Target) -> list[Identity]:
        with self._naming("read"):
            return self._tables().unpriced_jobs(target)

    def price_lists(self) -> dict[str, str]:
        with self._naming("read"):
            return self._tables().price_lists()

    def content(self) -> Content:
        with self._naming("read"):
            tables = self._used_by_nobody()
            snapshot = tables.snapshot(tables.all_targets())
            return Content(self.first_start, tables.all_records(), snapshot, tables.price_lists())

    def fill(self, content: Content) -> None:
        with self._naming("written"):
            tables, update = self._used_by_nobody(), content.as_update()
            with tables.db.transaction():
                tables.db.execute("UPDATE meta SET first_start = %s", (content.first_start,))
                Tables(tables.db, self.name, update.targets).write(update)

    def _used_by_nobody(self) -> Tables:
        """Keep replicas away until this store is closed. Raises StoreError if there are any."""
        db = self._session()
        # Copying may take longer than a transaction of a replica may.
        db.patience = _COPYING
        for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout"):
            db.execute("SELECT set_config(%s, '0', false)", (setting,))
        if not row(db, "SELECT pg_try_advisory_lock(%s)", (_IN_USE,))[0]:
            raise StoreError(f"{self.name}: is in use by replicas; stop them first")
        return self._tables()

    @contextmanager
    def transaction(self) -> Iterator[Tables]:
        """Run a transaction in this session. One that writes a target that is not held is rolled back."""
        with self._naming("written"):
            tables = self._tables()
            try:
                self._begin(tables.db)
                yield tables
                if tables.db.execute("COMMIT").statusmessage != "COMMIT":
                    raise psycopg.DatabaseError("the transaction was rolled back")
            except BaseException:
                self._roll_back(tables.db)
                raise

    def _open(self, now: float | None = None) -> Connection:
        return open_session(*self._place, now, self._schema, self._connect)

    def _unlock(self, target: Target) -> None:
        self._session().execute("SELECT pg_advisory_unlock(%s)", (self._locked[target],))
        del self._locked[target]

    def _begin(self, db: Connection) -> None:
        begun = db.execute("BEGIN; SELECT pg_backend_pid(), version FROM meta")
        begun.nextset()
        process, version = begun.fetchall()[0]
        if process != self._process:
            raise self._not_one_session()
        if version != self._schema.version:
            self._lose()
            raise StoreError(
                f"{self.name}: was migrated to schema {version} by a newer exporter; restart with that version"
            )

    def _roll_back(self, db: Connection) -> None:
        try:
            db.execute("ROLLBACK")
        except psycopg.Error:
            self._lose()

    def _join(self, group: int) -> Replica:
        """Hold the lock that makes this replica known to the others, as one of `group`."""
        db, before = self._session(), self._replica
        if before is not None and before.group == group:
            return before
        if before is None and not row(db, "SELECT pg_try_advisory_lock_shared(%s)", (_IN_USE,))[0]:
            raise StoreError(f"{self.name}: is being copied; wait until that has ended")
        now = Replica(group, before.number if before else self._randbits(_BITS))
        while not row(db, "SELECT pg_try_advisory_lock(%s)", (_key_of(now),))[0]:
            now = Replica(group, self._randbits(_BITS))
        if before is not None:
            db.execute("SELECT pg_advisory_unlock(%s)", (_key_of(before),))
        self._replica = now
        return now

    def _not_one_session(self) -> StoreError:
        self._lose()
        return StoreError(
            f"{self.name}: the session changes between statements, as behind a pooler in transaction mode; connect to "
            "the server directly"
        )

    def _session(self) -> Connection:
        """Return the open session. Raises StoreError if it was lost."""
        if self._db is None:
            raise StoreError(f"{self.name}: the session was lost, and with it the targets that this replica held")
        return self._db

    def _tables(self) -> Tables:
        return Tables(self._session(), self.name, self._locked.keys())

    def _lose(self) -> None:
        """Close the session. Its locks end with it."""
        db, self._db = self._db, None
        self._replica = None
        self._locked.clear()
        if db is not None:
            self._unnoticed = True
            close(db)

    @contextmanager
    def _locking(self, what: str) -> Iterator[None]:
        """Close the session after any error: nobody could say which locks it has."""
        with self._naming(what):
            try:
                yield
            except psycopg.Error:
                self._lose()
                raise

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Turn errors of PostgreSQL and of its rows into StoreErrors. A session that broke is lost."""
        try:
            yield
        except psycopg.Error as error:
            if self._db is not None and (self._db.broken or self._db.closed):
                self._lose()
            raise StoreError(f"{self.name}: cannot be {what}: {reason(error)}") from error
        except RowError as error:
            raise StoreError(f"{self.name}: {error}; restore the database from a backup") from error


def _key_of(replica: Replica) -> int:
    return _REPLICA << 2 * _BITS | replica.group << _BITS | replica.number


def _replica_of(key: int) -> Replica:
    return Replica(key >> _BITS & (1 << _BITS) - 1, key & (1 << _BITS) - 1)


def _key_of_target(target: Target) -> int:
    return _TARGET << 2 * _BITS | int.from_bytes(sha256("/".join(target).encode()).digest()[:6], "big")
