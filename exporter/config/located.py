"""Parses YAML and keeps the line and column of every key and value, so that errors can name them.

Plain scalars follow the core schema of YAML 1.2: `yes`, `on` and `12:30:00` are text. Anchors and merge keys are
supported, tags are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from exporter.config.problems import ConfigError, Path, Place, Problem, key_path, quote

_NULL, _BOOL, _INT, _FLOAT, _STR, _MERGE, _SEQ, _MAP = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "merge", "seq", "map")
)
_SYNTAX = "YAML, indented with spaces"
_START = Place(1, 1)
# A lone surrogate, which only an escape such as "\ud800" can produce; it cannot be encoded.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class _Unreadable:
    """A placeholder for a value whose problem is already reported."""


UNREADABLE = _Unreadable()


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the resolvers below instead of those of YAML 1.1."""


_RESOLVERS = {
    _NULL: r"~|null|Null|NULL|",
    _BOOL: r"true|True|TRUE|false|False|FALSE",
    _INT: r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    _FLOAT: r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    _MERGE: r"<<",
}
_Loader.yaml_implicit_resolvers = {
    None: [(tag, re.compile(rf"(?:{pattern})\Z")) for tag, pattern in _RESOLVERS.items()]
}


def _int(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=[in])", "", text.lower()))


_SCALARS: dict[str, Callable[[str], object]] = {
    _NULL: lambda _: None,
    _BOOL: lambda text: {"true": True, "false": False}[text.lower()],
    _INT: _int,
    _FLOAT: _float,
    _STR: lambda text: text.encode().decode(),  # rejects lone surrogates
}


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Place
    value: Place


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as plain Python values, with the places of its keys and values. The value of an empty one is
    None."""

    value: object = None
    start: Place = _START
    # By the id() of the dict or list that contains the entry; `value` keeps those alive.
    _entries: dict[int, dict[str | int, _Entry]] = field(default_factory=dict)

    def value_place(self, path: Path) -> Place:
        """Return the place of the value at a path; for a missing one, that of its nearest existing parent."""
        entries = self._along(path)
        return entries[-1].value if entries else self.start

    def key_place(self, path: Path) -> Place:
        """Return the place of the key at a path; for an entry of a list, that of the entry."""
        entries = self._along(path)
        return entries[-1].key if entries else self.start

    def _along(self, path: Path) -> list[_Entry]:
        # Places are stored per container, not per path: nested aliases can have exponentially many paths.
        entries: list[_Entry] = []
        value: Any = self.value
        for part in path:
            entry = self._entries.get(id(value), {}).get(part)
            if entry is None:
                break
            entries.append(entry)
            value = value[part]
        return entries


class _Builder:
    """Builds values from the nodes of one document, and records their places and problems."""

    def __init__(self, file: str, fraction: Callable[[str], object]) -> None:
        self.problems: list[Problem] = []
        self._scalars = {**_SCALARS, _FLOAT: fraction}
        self.entries: dict[int, dict[str | int, _Entry]] = {}
        self._file = file
        self._built: dict[int, object] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path = ()) -> object:
        """Return the value of a node, or UNREADABLE after recording a problem.

        Each node is built once: aliases share the node of their anchor, and copies could take exponential memory.
        """
        if id(node) in self._open:
            return self._refuse(node, path, "an anchor that contains itself", "anchors that end")
        if id(node) not in self._built:
            self._open.add(id(node))
            self._built[id(node)] = self._new(node, path)
            self._open.discard(id(node))
        return self._built[id(node)]

    def _new(self, node: yaml.Node, path: Path) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return self._list(node, path)
        if not isinstance(node, yaml.ScalarNode) or node.tag not in self._scalars:
            return self._refuse(node, path, f"the tag {quote(node.tag)} has no meaning here", "values without tags")
        try:
            return self._scalars[node.tag](node.value)
        except (ValueError, KeyError):
            # Do not repeat the value, which may be secret.
            kind = node.tag.rpartition(":")[2]
            return self._refuse(node, path, f"does not fit {kind}", "values as YAML writes them")

    def _list(self, node: yaml.SequenceNode, path: Path) -> list[object]:
        values = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        places = map(_place, node.value)
        self.entries[id(values)] = {index: _Entry(place, place) for index, place in enumerate(places)}
        return values

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        entries: dict[str | int, _Entry] = {}
        merges: list[yaml.Node] = []
        for key, value in node.value:
            here = (*path, str(key.value))
            if key.tag == _MERGE:
                merges.append(value)
            elif not _is_text(key):
                self._refuse(key, path, "a key that is not text", "keys that are text")
            elif key.value in values:
                first = entries[key.value].key.line
                self._refuse(key, here, f"is written twice, first on line {first}", "each key once")
            else:
                values[key.value] = self.build(value, here)
                entries[key.value] = _Entry(_place(key), _place(value))
        # Last, because the mapping's own keys take precedence wherever the merge key is written.
        for merge in merges:
            self._merge(merge, path, values, entries)
        self.entries[id(values)] = entries
        return values

    def _merge(self, node: yaml.Node, path: Path, values: dict[str, object], entries: dict[str | int, _Entry]) -> None:
        merged = self.build(node, path)
        for source in merged if isinstance(merged, list) else [merged]:
            if not isinstance(source, dict):
                self._refuse(node, (*path, "<<"), "is not a mapping", "a mapping, or a list of them")
                continue
            for key in source.keys() - values.keys():
                values[key] = source[key]
                entries[key] = self.entries[id(source)][key]

    def _refuse(self, node: yaml.Node, path: Path, message: str, allowed: str) -> object:
        self.problems.append(Problem(self._file, key_path(path), message, allowed, _place(node)))
        return UNREADABLE


def parse(data: bytes, file: str, fraction: Callable[[str], object] = _float) -> tuple[Document, list[Problem]]:
    """Return the document in a file and its problems. Values with a problem are UNREADABLE. `fraction` converts numbers
    that are not whole.

    Raises ConfigError if the file is not YAML at all.
    """
    try:
        nodes = list(yaml.compose_all(_decode(data, file), Loader=_Loader))
        builder = _Builder(file, fraction)
        document = _document(nodes[0], builder) if nodes else Document()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from None
    except RecursionError:
        raise ConfigError([Problem(file, "", "nested too deeply", "a few levels", _START)]) from None
    for extra in nodes[1:2]:
        builder.problems.append(Problem(file, "", "a second document starts here", "one document", _place(extra)))
    return document, builder.problems


def _document(node: yaml.Node, builder: _Builder) -> Document:
    return Document(builder.build(node), _place(node), builder.entries)


def _decode(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(data.count(b"\n", 0, error.start) + 1, 1)
        raise ConfigError([Problem(file, "", "a byte that is not UTF-8", "UTF-8 text", place)]) from None
    # Checked here because PyYAML's own error does not have the line.
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        place = Place(text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start()))
        message = f"the character {ascii(bad.group())[1:-1]} is not allowed"
        raise ConfigError([Problem(file, "", message, "printable characters", place)])
    return text


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else _START
    message = f"broken YAML: {error.problem}"
    if error.context:
        since = f" from line {error.context_mark.line + 1}" if error.context_mark else ""
        message += f", {error.context}{since}"
    return Problem(file, "", message, _SYNTAX, place)


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _STR and not _SURROGATE.search(node.value)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
