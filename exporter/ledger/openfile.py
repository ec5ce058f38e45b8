"""Manage an open state file: reopen it after an error, and make sure it stays at its path while it is open."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from exporter.ledger.presence import Fate, Presence
from exporter.ledger.reasons import reason
from exporter.ledger.statefile import MEMORY, Connect, Schema, empty_log, open_file
from exporter.ledger.store import StoreError
from exporter.process.logs import Log

_log = Log(__name__)


class OpenFile:
    """Hold the connection to the state file. Not thread-safe: one thread at a time may use it.

    A database in memory exists only in its connection, so that connection is never closed after an error.
    """

    def __init__(self, path: str, schema: Schema, connect: Connect) -> None:
        self.path, self._schema, self._connect = path, schema, connect
        self._db: sqlite3.Connection | None = None
        self._presence = Presence(path)

    def connection(self, now: float | None = None) -> sqlite3.Connection:
        """Return the connection, and open it if there is none. With `now` (Unix seconds) the file may be created.
        Raises StoreError and sqlite3.Error."""
        if self._db is None:
            self._db = open_file(self.path, now, self._schema, self._connect)
            self._presence.note()
        return self._db

    def committed(self) -> None:
        """Move the write-ahead log into the file. Must be called after each COMMIT. Raises sqlite3.Error."""
        if self._db is not None:
            empty_log(self._db)
            self._presence.note()

    def abandon(self) -> None:
        """Roll back and close the connection after an error, so that the next use reopens the file."""
        if self._db is None:
            return
        with suppress(sqlite3.Error):
            self._db.rollback()
        if self.path != MEMORY:
            self._let_go()

    def close(self) -> None:
        """Close the file; errors are logged. A file deleted while it was open is restored first."""
        try:
            self.stay()
        except (StoreError, sqlite3.Error) as error:
            _log.error("the state file was not closed cleanly", file=self.path, reason=str(error))
        if self._db is not None:
            self._db.close()
            self._db = None

    def stay(self) -> None:
        """Check that the open file is still the one at its path. Must be called before each transaction.

        A file that was deleted is restored; one that was replaced or changed is closed. Raises StoreError, and
        sqlite3.Error if the file cannot be reopened.
        """
        if self._db is None:
            return
        match self._presence.fate():
            case Fate.GONE:
                self._put_back(self._db)
            case Fate.REPLACED:
                self._keep(self._db)
            case Fate.CHANGED:
                self._let_go()
                raise StoreError(f"{self.path}: was changed by another program while it was open; reopening it")
            case Fate.LOG_LOST:
                # No total is lost: each transaction is moved into the file before it is shown.
                _log.warning(
                    "the log of the state file was deleted or replaced; reopening both",
                    file=self.path,
                )
                self._let_go()
                self.connection()
            case Fate.SAME:
                pass

    def _put_back(self, db: sqlite3.Connection) -> None:
        try:
            self._presence.put_back(db)
        except (sqlite3.Error, OSError) as error:
            # Only the open connection still has the totals, so it must stay open.
            raise self._lost("was deleted while it was open, and cannot be restored", error) from error
        self._let_go()
        self.connection()
        _log.warning(
            "the state file was deleted while it was open; it is restored with all its content", file=self.path
        )

    def _keep(self, db: sqlite3.Connection) -> None:
        try:
            kept = self._presence.keep(db)
        except (sqlite3.Error, OSError) as error:
            raise self._lost(
                "was replaced while it was open, and its previous content cannot be saved beside it", error
            ) from error
        self._let_go()
        raise StoreError(f"{self.path}: was replaced by another file while it was open; its content is saved in {kept}")

    def _lost(self, what: str, error: sqlite3.Error | OSError) -> StoreError:
        why = reason(self.path, error)
        return StoreError(f"{self.path}: {what}: {why}; do not stop the exporter before this succeeds")

    def _let_go(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
