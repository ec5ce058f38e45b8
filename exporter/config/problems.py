"""What is wrong with a file that a person wrote, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LONGEST_QUOTE = 60
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")

Path = Sequence[str | int]


class Place(NamedTuple):
    """Line and column in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `path` is the key path ("targets[1].role_arn"), the flag ("--web.listen-address"), or "" for a whole file.
    `place` is None where there is no line: for a flag, and for a file that cannot be read. `allowed` is "" for what is
    only a warning.
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
        """What a log line says of the problem."""
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


class ConfigError(Exception):
    """Everything that is wrong with a configuration, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place or Place(0, 0)))
        super().__init__("\n".join(map(str, self.problems)))


def key_path(path: Path) -> str:
    """A path as people write it: targets[1].role_arn."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else quote(part))
    return text


def kind(value: object) -> str:
    """What a value is, in the words of YAML."""
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
    """A scalar as JSON, on one line and not endless; of anything larger only what it is."""
    if isinstance(value, dict | list):
        return kind(value)
    text = json.dumps(value, ensure_ascii=False, default=kind)
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."
