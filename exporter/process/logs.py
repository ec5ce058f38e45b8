"""Logs to standard error as logfmt or JSON lines, with constant messages and fields for what varies."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("logfmt", "json")


class Log:
    """Logs messages of one module.

    Messages are constant, so that they can be searched for and alerted on; what varies is passed by keyword and becomes
    a field. Fields that are None are omitted.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, **fields: object) -> None:
        """Log an error with the type of the exception that is being handled."""
        self._write(logging.ERROR, message, fields, failed=True)

    @property
    def shows_debug(self) -> bool:
        """Return whether the log level includes debug messages."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def _write(self, level: int, message: str, fields: dict[str, object], failed: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            known = {key: value for key, value in fields.items() if value is not None}
            # The caller is three frames up: behind this method and `debug`, `info`, ...
            self._logger.log(level, message, exc_info=failed or None, extra={"fields": known}, stacklevel=3)


def configure(level: str, style: str) -> None:
    """Configure the log for the process. `level` is one of LEVELS, `style` one of FORMATS.

    Warnings of Python are logged too. Other libraries log errors only: at debug level the SDK logs whole requests.
    """
    # A standard error that cannot be written must not cause tracebacks.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if style == "json" else Logfmt())
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.WARNING)
    logging.getLogger("exporter").setLevel(level.upper().replace("WARN", "WARNING"))


class Json(logging.Formatter):
    """Formats a record as a JSON object on one line; numbers and booleans keep their types."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), ensure_ascii=False, default=str)


class Logfmt(logging.Formatter):
    """Formats a record as key=value pairs; values with spaces, quotes or control characters are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())


def _fields(record: logging.LogRecord) -> dict[str, object]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = record.levelname.lower().replace("warning", "warn")
    fields: dict[str, object] = {"ts": moment, "level": level, "caller": record.name, "msg": record.getMessage()}
    fields |= getattr(record, "fields", {})
    if record.exc_info and record.exc_info[0]:
        # Only the type: the text of an exception may quote AWS's message, which can hold secrets.
        fields["err"] = record.exc_info[0].__name__
    return fields


def _quoted(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    plain = text and all(c.isprintable() and c not in ' ="' for c in text)
    return text if plain else json.dumps(text, ensure_ascii=False)
