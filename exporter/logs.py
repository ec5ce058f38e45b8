"""Logging to standard error, as logfmt or JSON lines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")


def configure(level: str, style: str) -> None:
    """The SDK's own logs stay out below errors: at debug level they hold requests."""
    # A standard error that cannot be written is not worth a traceback on it.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if style == "json" else _Logfmt())
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.getLogger("exporter").setLevel(level.upper().replace("WARN", "WARNING"))


def _fields(record: logging.LogRecord) -> dict[str, str]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = record.levelname.lower().replace("warning", "warn")
    fields = {"ts": moment, "level": level, "caller": record.name, "msg": record.getMessage()}
    # A message that is about one thing has its parts in `extra={"fields": ...}`.
    fields |= {key: str(value) for key, value in getattr(record, "fields", {}).items()}
    if record.exc_info and record.exc_info[0]:
        # The kind of a failure only: its text may quote what AWS said.
        fields["err"] = record.exc_info[0].__name__
    return fields


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), ensure_ascii=False)


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())


def _quoted(value: str) -> str:
    plain = value and all(c.isprintable() and c not in ' ="' for c in value)
    return value if plain else json.dumps(value, ensure_ascii=False)
