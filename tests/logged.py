"""What the exporter logged, as a user reads it: the message and its fields."""

from __future__ import annotations

import re

import pytest

from exporter.process.logs import Logfmt


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """All lines of all loggers as logfmt, from their message on."""
    return [re.sub(r"^ts=\S+ level=\S+ caller=\S+ ", "", Logfmt().format(record)) for record in caplog.records]


def text(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(lines(caplog))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The messages alone, which never vary."""
    return [record.getMessage() for record in caplog.records]


def field(caplog: pytest.LogCaptureFixture, name: str) -> list[object]:
    """A field of each line that has it."""
    return [vars(record)["fields"][name] for record in caplog.records if name in getattr(record, "fields", {})]
