"""Return what the exporter logged, as users read it: messages and fields."""

from __future__ import annotations

import re

import pytest

from exporter.process.logs import Logfmt


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return all lines of all loggers as logfmt, without time, level and caller."""
    return [re.sub(r"^ts=\S+ level=\S+ caller=\S+ ", "", Logfmt().format(record)) for record in caplog.records]


def text(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(lines(caplog))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages without their fields. Messages are constant."""
    return [record.getMessage() for record in caplog.records]


def field(caplog: pytest.LogCaptureFixture, name: str) -> list[object]:
    """Return the value of a field from each line that has it."""
    return [vars(record)["fields"][name] for record in caplog.records if name in getattr(record, "fields", {})]
