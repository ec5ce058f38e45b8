"""An open state file: opened again after an error, and kept findable while it is open."""

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
    """Not for more than one thread at a time. A database in memory lives in its connection, and is never let go."""

    def __init__(self, path: str, schema: Schema, connect: Connect) -> None:
        self.path, self._schema, self._connect = path, schema, connect
        self._db: sqlite3.Connection | None = None
        self._presence = Presence(path)

    def connection(self, now: float | None = None) -> sqlite3.Connection:
        """The connection, opened where there is none. `now` is for a file that may be new. Raises StoreError and
        sqlite3.Error."""
        if self._db is None:
            self._db = open_file(self.path, now, self._schema, self._connect)
            self._presence.note()
        return self._db

    def committed(self) -> None:
        """After each COMMIT; only then is everything in the file itself. Raises sqlite3.Error."""
        if self._db is not None:
            empty_log(self._db)
            self._presence.note()

    def abandon(self) -> None:
        """Let go of the file after an error, so that it is opened anew."""
        if self._db is None:
            return
        with suppress(sqlite3.Error):
            self._db.rollback()
        if self.path != MEMORY:
            self._let_go()

    def close(self) -> None:
        try:
            self.stay()
        except (StoreError, sqlite3.Error) as error:
            _log.error("the state file was not closed in order", file=self.path, reason=str(error))
        if self._db is not None:
            self._db.close()
            self._db = None

    def stay(self) -> None:
        """Before each transaction: put back a file that was deleted, and let go of one that is no longer at its path.
        Raises StoreError, and sqlite3.Error where the file cannot be opened again."""
        if self._db is None:
            return
        match self._presence.fate():
            case Fate.GONE:
                self._put_back(self._db)
            case Fate.REPLACED:
                self._keep(self._db)
            case Fate.CHANGED:
                self._let_go()
                raise StoreError(f"{self.path}: was changed by another program while it was open; it is opened anew")
            case Fate.LOG_LOST:
                # Nothing is lost: each transaction is moved into the file before it is shown.
                _log.warning(
                    "the log of the state file was deleted or replaced; both are opened anew",
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
            # Nothing but the open connection has the totals now: it stays open.
            raise self._lost("was deleted while it was open, and cannot be written anew", error) from error
        self._let_go()
        self.connection()
        _log.warning("the state file was deleted while it was open and is written anew with all it had", file=self.path)

    def _keep(self, db: sqlite3.Connection) -> None:
        try:
            kept = self._presence.keep(db)
        except (sqlite3.Error, OSError) as error:
            raise self._lost(
                "was replaced while it was open, and what it had cannot be kept beside it", error
            ) from error
        self._let_go()
        raise StoreError(f"{self.path}: was replaced by another file while it was open; what it had is kept in {kept}")

    def _lost(self, what: str, error: sqlite3.Error | OSError) -> StoreError:
        why = reason(self.path, error)
        return StoreError(f"{self.path}: {what}: {why}; do not stop the exporter before it could")

    def _let_go(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
