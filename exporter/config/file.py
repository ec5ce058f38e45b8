"""Reads configuration files."""

from __future__ import annotations

from exporter.config.problems import ConfigError, Problem

_ALLOWED = "a file of YAML"
# Bytes. Far more than hundreds of targets need; guards against /dev/zero or a log file given by mistake.
_LARGEST = 1 << 20


def read(path: str) -> bytes:
    """Return the contents of a file. Raises ConfigError if it cannot be read or is too large."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([Problem(path, "", f"cannot be read: {reason}", _ALLOWED)]) from None
    if len(data) > _LARGEST:
        raise ConfigError([Problem(path, "", "is too large", f"{_ALLOWED} of at most {_LARGEST >> 20} MiB")])
    return data
