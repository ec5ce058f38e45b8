"""Compares a response with AWS's service model, strictly, and without keeping any value of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

UNKNOWN, MISSING, NOT_LISTED = "is a field that the model lacks", "is missing", "has a value that the model lacks"
_OTHER_NAME = "(a name unlike those of AWS)"
# AWS's members are named so. A name that is not is not shown: it may be a key of the user's in the wrong place.
_MEMBER = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_SPECIAL_NUMBERS = ("NaN", "Infinity", "-Infinity")
_JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}
_EXPECTED = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "blob": str}
_WHOLE = ("integer", "long")


class Shape(Protocol):
    """A shape of botocore's service model, as far as it is read here. Which attributes it has depends on its type."""

    @property
    def type_name(self) -> str: ...

    @property
    def members(self) -> Mapping[str, Shape]: ...

    @property
    def required_members(self) -> Sequence[str]: ...

    @property
    def member(self) -> Shape: ...

    @property
    def value(self) -> Shape: ...

    @property
    def enum(self) -> Sequence[str]: ...


class Deviation(NamedTuple):
    """Where a response differs from the model, and how. The path has names of fields only: no key of a map."""

    path: str
    problem: str


def deviations(shape: Shape, answer: object, path: str = "") -> Iterator[Deviation]:
    """Yield every difference: unknown, missing and mistyped fields, and values that an enumeration lacks."""
    kind = shape.type_name
    if not _is_of(kind, answer):
        yield Deviation(path, f"is {_json_type(answer)}, in the model {kind}")
    elif isinstance(answer, dict) and kind == "structure":
        yield from _structure(shape, answer, path)
    elif isinstance(answer, dict):
        for value in answer.values():
            yield from deviations(shape.value, value, f"{path}{{}}")
    elif isinstance(answer, list):
        for value in answer:
            yield from deviations(shape.member, value, f"{path}[]")
    elif kind == "string" and shape.enum and answer not in shape.enum:
        yield Deviation(path, NOT_LISTED)


def _structure(shape: Shape, answer: Mapping[str, object], path: str) -> Iterator[Deviation]:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in answer:
            yield Deviation(prefix + name, MISSING)
    for name, value in answer.items():
        if name in shape.members:
            yield from deviations(shape.members[name], value, prefix + name)
        else:
            yield Deviation(prefix + (name if _MEMBER.fullmatch(name) else _OTHER_NAME), UNKNOWN)


def _is_of(kind: str, value: object) -> bool:
    if kind in _EXPECTED:
        return isinstance(value, _EXPECTED[kind])
    if isinstance(value, bool):
        return False
    if kind in _WHOLE:
        return isinstance(value, int)
    return isinstance(value, int | float) or (kind in ("float", "double") and value in _SPECIAL_NUMBERS)


def _json_type(value: object) -> str:
    return "null" if value is None else _JSON_TYPES.get(type(value), "something else")
