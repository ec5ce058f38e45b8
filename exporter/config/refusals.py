"""What pydantic says about a file of settings, as problems for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from exporter.config.located import UNREADABLE, Document
from exporter.config.problems import Path, Problem, key_path, quote
from exporter.config.settings import Config, SettingsModel
from exporter.config.syntax import ONE, SEVERAL

_KEY = "[key]"
_NOT_KEYS = (_KEY, ONE, SEVERAL)


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings came from: a file that may say what `root` is, and flags that stand above it (by key path)."""

    file: str
    document: Document
    flags: Collection[str] = ()
    root: type[SettingsModel] = Config

    def problem(self, path: Path, message: str, allowed: str, *, key: bool = False) -> Problem:
        """A problem with the value at a path, or with its key."""
        name = key_path(path)
        flag = key_path([part for part in path if isinstance(part, str)])
        if flag in self.flags:
            return Problem("", f"--{flag.replace('_', '-')}", message, allowed)
        place = self.document.key_place(path) if key else self.document.value_place(path)
        return Problem(self.file, name, message, allowed, place)

    def line(self, path: Path) -> int:
        return self.document.value_place(path).line


def problems(error: ValidationError, source: Source) -> Iterator[Problem]:
    """Each error where it stands; values that YAML could not read have their problem already."""
    for detail in error.errors(include_url=False):
        if detail["input"] is not UNREADABLE:
            yield _problem(detail, source)


def _problem(detail: ErrorDetails, source: Source) -> Problem:
    # What pydantic says of the key of a mapping stands at the key's value, and then says "[key]".
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
    # No type of a section leads here; should one be added, its own words are better than none.
    return source.problem(path, detail["msg"], "see docs/configuration.md")


def _choices(expected: str) -> str:
    choices = expected.removeprefix("'', ")
    return choices.replace("'", "") + (", or nothing" if choices != expected else "")


def _unknown_key(path: Path, source: Source) -> Problem:
    name, siblings = str(path[-1]), _section(path[:-1], source.root).key_names()
    guess = get_close_matches(name, siblings, n=1) or [k for k in _keys(source.root) if k.endswith(f".{name}")]
    hint = f", did you mean {guess[0]}?" if guess else ""
    return source.problem(path, f"unknown key{hint}", ", ".join(siblings), key=True)


def _section(path: Path, root: type[SettingsModel]) -> type[SettingsModel]:
    section = root
    for part in path:
        if isinstance(part, str):
            section = _sections(section)[part]
    return section


def _sections(parent: type[SettingsModel]) -> dict[str, type[SettingsModel]]:
    """Which keys of a section are themselves sections, or lists of them."""
    found = {}
    for name, field in parent.model_fields.items():
        for candidate in (field.annotation, *get_args(field.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, SettingsModel):
                found[name] = candidate
    return found


def _keys(root: type[SettingsModel]) -> Iterator[str]:
    for name, section in _sections(root).items():
        yield from (f"{name}.{key}" for key in section.key_names())
