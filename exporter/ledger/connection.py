"""Connect to PostgreSQL, and give a server up that keeps a connection but does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from exporter.process.signals import Interrupted

# Its warnings name users and databases, and say what follows from an error that is reported anyway.
logging.getLogger("psycopg").setLevel(logging.ERROR)
_T = TypeVar("_T")
# In seconds. A replica gives its targets up after a look at the locks that took as long as this, and the systemd unit
# grants 10 seconds to a process that stops.
_PATIENCE = 5.0


class SilenceError(psycopg.OperationalError):
    """The server keeps the connection, and does not answer."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that closes itself, and raises SilenceError, once the server has sent nothing for `patience` seconds
    while a statement waits for it. A server that is suspended or whose disk hangs answers the probes of TCP, so that
    nothing else ends that wait. It closes itself also when a signal interrupts the wait.

    Whether the statement took effect is unknown, as whenever a connection breaks.
    """

    patience = _PATIENCE

    def wait(self, gen: Generator[Any, Any, _T], *args: Any, **kwargs: Any) -> _T:
        # All communication passes through here, also of pipelines and transactions.
        try:
            return super().wait(_impatient(gen, self.patience), *args, **kwargs)
        except (SilenceError, Interrupted):
            # Or else the ROLLBACK would wait for the end of the statement.
            self.close()
            raise


def _impatient(gen: Generator[Any, Any, _T], patience: float) -> Generator[Any, Any, _T]:
    """Run a generator of psycopg, which is told several times a second whether the connection is ready."""
    heard = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > patience:
                raise SilenceError(f"the server did not answer for {patience:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as done:
        value: _T = done.value
        return value
