"""Problems of configuration files, with their places, as errors for the user."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exporter.process.errors import UserError

_LONGEST_QUOTE = 60
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")

Path = Sequence[str | int]


class Place(NamedTuple):
    """A line and a column in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a value, a key, a flag or a file.

    `path` is the key path ("targets[1].role_arn"), the flag ("--web.listen-address"), or "" for the file as a whole.
    `place` is None for a flag and for a file that cannot be read. `allowed` says what would be valid; it is "" for a
    warning.
    """

    file: str
    path: str
    message: str
    allowed: str
    place: Place | None = None

    @property
    def line(self) -> int | None:
        return self.place.line if self.place else None

    @property
    def column(self) -> int | None:
        return self.place.column if self.place else None

    @property
    def fields(self) -> dict[str, str | int | None]:
        """Return the problem as fields of a log line."""
        return {
            "file": self.file or None,
            "line": self.line,
            "key": self.path or None,
            "problem": self.message,
            "allowed": self.allowed or None,
        }

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}" if self.place else self.file
        prefix = "".join(f"{part}: " for part in (where, self.path) if part)
        return f"{prefix}{self.message} (allowed: {self.allowed})" if self.allowed else f"{prefix}{self.message}"


class ConfigError(UserError):
    """All problems of a configuration, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place or Place(0, 0)))
        super().__init__("\n".join(map(str, self.problems)))


def key_path(path: Path) -> str:
    """Return a path as text, such as targets[1].role_arn."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else quote(part))
    return text


def kind(value: object) -> str:
    """Return the type of a value in the terms of YAML, for messages."""
    match value:
        case None:
            return "empty"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
    return "a list"


def quote(value: object) -> str:
    """Return a scalar as JSON on one line, truncated if it is long; for a list or a mapping, its type."""
    if isinstance(value, dict | list):
        return kind(value)
    text = json.dumps(value, ensure_ascii=False, default=kind)
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."
