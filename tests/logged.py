"""Return what the exporter logged, as users read it: messages and fields."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.process.logs import Logfmt


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return all lines of all loggers as logfmt, without time, level and caller."""
    return [re.sub(r"^ts=\S+ level=\S+ caller=\S+ ", "", Logfmt().format(record)) for record in caplog.records]


@contextmanager
def restored() -> Iterator[None]:
    """Restore the handlers and levels of logging at the end of the block."""
    root, own = logging.getLogger(), logging.getLogger("exporter")
    handlers, levels = root.handlers[:], (root.level, own.level)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        own.setLevel(levels[1])


def text(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(lines(caplog))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages without their fields. Messages are constant."""
    return [record.getMessage() for record in caplog.records]


def field(caplog: pytest.LogCaptureFixture, name: str) -> list[object]:
    """Return the value of a field from each line that has it."""
    return [vars(record)["fields"][name] for record in caplog.records if name in getattr(record, "fields", {})]
