"""Count the round trips of a PostgreSQL session in libpq's trace."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.ledger.connection import Connection

# A message to the server (F) that asks for answers, or any message from it (B).
_MESSAGE = re.compile(rb"^[^\t\n]*\t(?:(F)\t\d+\t(?:Query|Sync|Flush)|B\t)", re.MULTILINE)


class Trips:
    """Counts how often a session waits for the server. `trace` is a file that is written meanwhile."""

    def __init__(self, trace: Path) -> None:
        self._trace, self._file = trace, trace.open("wb")
        self._read = 0

    def connect(self, url: str, **parameters: Any) -> Connection:
        """Open a session whose round trips are counted."""
        db = Connection.connect(url, **parameters)
        db.pgconn.trace(self._file.fileno())
        return db

    def taken(self) -> int:
        """Return the round trips since the last call. The statements of a pipeline are one."""
        trace = self._trace.read_bytes()
        new, self._read = trace[self._read :], len(trace)
        asked = [message[1] is not None for message in _MESSAGE.finditer(new)]
        # The end of the last answer may not be in the trace yet.
        return sum(other and not one for one, other in pairwise([False, *asked]))

    def close(self) -> None:
        """Close the trace, after the session."""
        self._file.close()
