"""Converts the validation errors of pydantic into located problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.config.located import UNREADABLE, Document
from exporter.config.model import SettingsModel
from exporter.config.problems import Path, Problem, key_path, quote
from exporter.config.settings import Config
from exporter.config.suggestions import did_you_mean
from exporter.config.syntax import ONE, SEVERAL

_KEY = "[key]"
_NOT_KEYS = (_KEY, ONE, SEVERAL)


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings come from: a file with the structure of `root`, and flags, by key path, that override it."""

    file: str
    document: Document
    flags: Collection[str] = ()
    root: type[SettingsModel] = Config

    def problem(self, path: Path, message: str, allowed: str, *, key: bool = False) -> Problem:
        """Return a problem with the value at a path, or with its key; it names the flag if one set the value."""
        name = key_path(path)
        flag = key_path([part for part in path if isinstance(part, str)])
        if flag in self.flags:
            return Problem("", f"--{flag.replace('_', '-')}", message, allowed)
        place = self.document.key_place(path) if key else self.document.value_place(path)
        return Problem(self.file, name, message, allowed, place)

    def line(self, path: Path) -> int:
        """Return the line of the value at a path."""
        return self.document.value_place(path).line


def problems(error: ValidationError, source: Source) -> Iterator[Problem]:
    """Yield the problem for each validation error."""
    # Values that the YAML parser rejected have their problem already.
    for detail in error.errors(include_url=False):
        if detail["input"] is not UNREADABLE:
            yield _problem(detail, source)


def _problem(detail: ErrorDetails, source: Source) -> Problem:
    # pydantic locates an error of a mapping's key at the key's value, followed by "[key]".
    path = [part for part in detail["loc"] if part not in _NOT_KEYS]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "refused":
            on_key = _KEY in detail["loc"]
            return source.problem(path, context["message"], context["allowed"], key=on_key)
        case "missing":
            field = _section(path[:-1], source.root).model_fields[str(path[-1])]
            return source.problem(path, "is missing", str(field.description))
        case "extra_forbidden":
            return _unknown_key(path, source)
        case "bool_type":
            return source.problem(path, f"{quote(detail['input'])} is not a boolean", "true or false")
        case "literal_error":
            return source.problem(path, f"{quote(detail['input'])} is not a choice", _choices(context["expected"]))
    # No current type of a setting leads here. For a future one, pydantic's message is better than none.
    return source.problem(path, detail["msg"], "see docs/configuration.md")


def _choices(expected: str) -> str:
    # pydantic lists the choices as "'a', 'b' or 'c'"; an empty string among them stands for nothing.
    choices = expected.removeprefix("'', ")
    return choices.replace("'", "") + (", or nothing" if choices != expected else "")


def _unknown_key(path: Path, source: Source) -> Problem:
    name, siblings = str(path[-1]), _section(path[:-1], source.root).key_names()
    hint = did_you_mean(name, siblings) or _elsewhere(path, source.root)
    return source.problem(path, f"unknown key{hint}", ", ".join(siblings), key=True)


def _elsewhere(path: Path, root: type[SettingsModel]) -> str:
    """Return a hint if sections have a key of that name. Within another section it may be a coincidence."""
    found = [key for key in _keys(root) if key.endswith(f".{path[-1]}")]
    if not found:
        return ""
    return f", did you mean {found[0]}?" if len(path) == len(found) == 1 else f"; there is {' and '.join(found)}"


def _section(path: Path, root: type[SettingsModel]) -> type[SettingsModel]:
    section = root
    for part in path:
        if isinstance(part, str):
            section = _sections(section)[part]
    return section


def _sections(parent: type[SettingsModel]) -> dict[str, type[SettingsModel]]:
    """Return the keys of a section that are sections themselves, or lists of sections."""
    found = {}
    for name, field in parent.model_fields.items():
        for candidate in (field.annotation, *get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, SettingsModel):
                found[name] = candidate
    return found


def _keys(root: type[SettingsModel]) -> Iterator[str]:
    for name, section in _sections(root).items():
        yield from (f"{name}.{key}" for key in section.key_names())
